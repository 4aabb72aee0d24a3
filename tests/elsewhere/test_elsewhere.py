"""What is sent and what comes back, over any Executor; and what is refused before anything is sent."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

import pytest

from hvctl.call import Batch, Call, Reply, Secret, Staged, Task, Transport, TransportError
from hvctl.cli import main
from hvctl.cli.elsewhere import CHANGING, READING
from hvctl.cli.lazy import VERBS
from hvctl.config.connection import Connection
from hvctl.config.secrets import PromptSource
from hvctl.config.wiring import Timeouts, Wiring
from hvctl.core.facts import read_batch
from hvctl.doctor.elsewhere import Eyes
from hvctl.fleet.connect import Wire, real_connect
from hvctl.fleet.elsewhere import Elsewhere
from hvctl.fleet.errand import Answer, Errand, Versions, unsent
from hvctl.fleet.scheduler import Joined, Scheduler
from hvctl.fleet.worker import carried_out
from hvctl.kinds import kinds
from hvctl.redaction.redact import Redactor
from hvctl.text.diagnostic import ConfigError, Mark
from hvctl.text.source import SecretSource
from hvctl.winrm.faults import WireFault
from mocks.host import SimulatedHost
from mocks.tls import make_authority
from mocks.wsman import Endpoint, Server
from tests import requirements

PASSWORD = "q7Zr4kXw9fT5mB2v"
PLACE = Mark("inventory.yml", 3, 5)
BY_ENV = SecretSource("env", ("HV_PASSWORD",), PLACE)
STATE = {"os": "2022", "vms": [{"name": "web01", "generation": 2, "processor": {"count": 2}}]}
SURVEY = read_batch([query for kind in kinds() for query in kind.survey()])


class Pool(ThreadPoolExecutor):
    """Keeps what was sent and what came back."""

    def __init__(self) -> None:
        super().__init__(4)
        self.texts: list[str] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.texts += args
        future = super().submit(fn, *args, **kwargs)
        future.add_done_callback(lambda done: self.texts.append(str(done.result())))
        return future


@pytest.fixture
def pool() -> Iterator[Pool]:
    with Pool() as made:
        yield made


@pytest.fixture
def connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    authority = make_authority(tmp_path)
    endpoint = Endpoint(SimulatedHost.from_yaml(STATE), {"u": PASSWORD}, scheme="https")
    monkeypatch.setenv("HV_PASSWORD", PASSWORD)
    with Server([endpoint], authority):
        yield Connection(
            "hv01", "127.0.0.1", endpoint.port, "https", "ntlm", user="u", password=BY_ENV, ca_path=str(authority.ca)
        )


def elsewhere(executor: Executor, redactor: Redactor | None = None) -> Elsewhere:
    return Elsewhere(lambda worker: executor, (redactor or Redactor()).holds)


def test_an_errand_comes_back_equal() -> None:
    wiring = Wiring({"service": "HTTP"}, timeouts=Timeouts(60, 10))
    one = Connection("hv01", "10.0.0.1", 5986, "https", "ntlm", user="u", password=BY_ENV, os="2022", wiring=wiring)
    for batch in (None, SURVEY):
        errand = Errand("1", "2", Versions.here(), one, batch)
        assert Errand.read(errand.text) == errand


def timeless(reply: Reply) -> Reply:
    rows = tuple({k: v for k, v in row.items() if k != "LocalDateTime"} for row in reply.rows)
    return replace(reply, ms=0, rows=rows)


def test_what_any_executor_reads_is_what_a_connection_from_here_reads(connection: Connection, pool: Pool) -> None:
    here = real_connect(connection, Wire())
    there = elsewhere(pool).connect(connection, Wire())
    replies = there.run(SURVEY)
    assert [timeless(one) for one in replies] == [timeless(one) for one in here.run(SURVEY)]
    assert there.info() == here.info()
    assert there.requests == here.requests > 0
    here.close()
    assert not [text for text in pool.texts if PASSWORD in text]
    assert any("hv01" in text for text in pool.texts)


def test_a_transport_elsewhere_is_one(connection: Connection, pool: Pool) -> None:
    one: Transport = elsewhere(pool).connect(connection, Wire())
    assert one.info().build == 20348
    with pytest.raises(TransportError, match="workers elsewhere only read"):
        one.run(Batch((Task("s0", Call("Start-VM", {"Name": "web01"})),), "change"))


def test_a_worker_refuses_changes_itself(connection: Connection) -> None:
    change = Batch((Task("s0", Call("Start-VM", {"Name": "web01"})),), "change")
    said = Answer.read(carried_out(Errand("1", "2", Versions.here(), connection, change).text))
    assert said.error is not None
    assert "a worker changes nothing" in said.error.message


def test_a_worker_refuses_a_task_of_another_version(connection: Connection) -> None:
    said = Answer.read(carried_out(Errand("1", "2", Versions("9.9", "3.99"), connection, SURVEY).text))
    assert said.error is not None
    assert "and what sent it the task hvctl 9.9 on Python 3.99" in said.error.message
    assert not said.replies


def test_what_a_worker_has_not_is_said_without_its_value(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HV_PASSWORD")
    said = Answer.read(carried_out(Errand("1", "another", Versions.here(), connection, SURVEY).text))
    assert said.error is not None
    assert said.error.message == "where the worker runs, the environment variable HV_PASSWORD is not set"


def test_an_answer_holds_no_secret_not_even_in_what_an_error_was_at_first() -> None:
    redactor = Redactor()
    redactor.learn(Secret(PASSWORD))
    error = TransportError(f"{PASSWORD} is wrong", hint=PASSWORD, defect=PASSWORD, outside=(PASSWORD,))
    cause = WireFault("protocol", f"said {PASSWORD}", outside=PASSWORD)
    error.__cause__ = cause
    plain = TransportError("no answer")
    plain.__cause__ = cause
    for one in (error, plain):
        assert PASSWORD not in Answer(error=one).masked(redactor)
    told = Answer.read(Answer(error=plain).masked(redactor)).error
    assert told is not None
    assert isinstance(told.__cause__, WireFault)
    assert told.__cause__.kind == "protocol"


@pytest.mark.parametrize("password", [Secret(PASSWORD), PromptSource("password")])
def test_a_password_that_is_known_here_is_refused_before_anything_is_sent(
    password: Secret | PromptSource, connection: Connection, pool: Pool
) -> None:
    one = replace(connection, password=password)
    problem = unsent(one, PLACE)
    assert problem is not None
    assert "hv01" in problem.message
    with pytest.raises(TransportError, match="none is sent to a scheduler"):
        elsewhere(pool).connect(one, Wire()).info()
    assert pool.texts == []


@pytest.mark.parametrize(
    "value",
    [Secret(PASSWORD), Staged("0" * 64, 3, "token", content=b"abc", secret=True), f"C:\\{PASSWORD}\\disk.vhdx"],
    ids=["secret", "file", "text"],
)
def test_a_secret_in_what_is_asked_is_refused_before_anything_is_sent(
    value: Any, connection: Connection, pool: Pool
) -> None:
    redactor = Redactor()
    redactor.learn(Secret(PASSWORD))
    asked = read_batch([Call("Get-VHD", {"Path": value}, ("Path",))])
    with pytest.raises(TransportError, match="hv01") as refused:
        elsewhere(pool, redactor).connect(connection, Wire()).run(asked)
    assert "none is sent to a scheduler" in refused.value.message
    assert pool.texts == []


def test_the_way_to_a_host_is_the_worker_s(connection: Connection, pool: Pool) -> None:
    way = Eyes(elsewhere(pool)).look(connection)
    assert (way.status, way.addresses) == (401, ("127.0.0.1",))
    assert way.certificate is not None
    assert way.certificate.names == ("localhost", "127.0.0.1")
    assert way.asked is not None


def test_a_stop_ends_what_is_waited_for(connection: Connection, pool: Pool) -> None:
    one = elsewhere(pool).connect(connection, Wire())
    one.stop()
    for _ in range(4):
        pool.submit(time.sleep, 0.6)
    started = time.monotonic()
    with pytest.raises(TransportError, match="hvctl was stopped"):
        one.info()
    assert time.monotonic() - started < 0.6


class Client:
    """As much of dask's as tells which workers are left."""

    status = "running"
    names: tuple[str, ...] | None = ("site-a",)
    """None: the scheduler does not answer."""
    told: Mapping[str, dict[str, dict[str, str]]] = MappingProxyType({})

    def scheduler_info(self, n_workers: int) -> Mapping[str, dict[str, dict[str, str]]]:
        if self.names is not None:
            self.told = {"workers": {name: {"name": name} for name in self.names}}
        return self.told


@pytest.mark.parametrize(("gone", "unasked"), [({""}, True), ({"", "site-a"}, True), ({"site-a"}, False)])
def test_only_where_nobody_is_left_a_host_is_not_taken_for_away(
    gone: set[str], unasked: bool, connection: Connection, pool: Pool
) -> None:
    work = Elsewhere(lambda worker: pool, Redactor().holds, trouble=lambda worker: "gone" if worker in gone else "")
    with pytest.raises(TransportError, match="gone") as refused:
        work._submitted(lambda text: text, "", "site-a" if "site-a" in gone else "")
    assert refused.value.unasked == unasked


def joined(monkeypatch: pytest.MonkeyPatch, client: Client) -> tuple[Joined, list[float]]:
    """And the time, which is set by hand."""
    found, at = Joined.__new__(Joined), [10.0]
    vars(found).update(scheduler=Scheduler("tls://s:8786"), _client=client, _lost="", _seen={}, _answered=0.0, _told={})
    monkeypatch.setattr("hvctl.fleet.scheduler.time.monotonic", lambda: at[0])
    return found, at


def test_where_no_worker_is_left_a_run_waits_and_then_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client()
    found, at = joined(monkeypatch, client)
    found._look()
    assert found.trouble() == ""
    assert found.trouble("site-a") == ""
    assert found.trouble("site-b") == "tls://s:8786 has no worker site-b, which hvctl_worker names"
    client.names, at[0] = (), 20.0
    found._look()
    assert found.trouble() == ""
    assert found.trouble("site-a") == "", "one that is started anew comes back meanwhile"
    at[0] = 45.0
    found._look()
    assert found.trouble() == "no worker of tls://s:8786 is left"
    assert found.trouble("site-a") == "worker site-a is gone"
    client.status = "connecting"
    assert found.trouble() == "the scheduler tls://s:8786 was lost"
    client.status = "running"
    assert found.trouble() == "the scheduler tls://s:8786 was lost", "it knows nothing of the tasks of before"


def test_a_scheduler_whose_connection_stands_and_that_says_nothing_is_lost_too(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client()
    found, at = joined(monkeypatch, client)
    found._look()
    client.names, at[0] = None, 39.0
    found._look()
    assert found.trouble() == found.trouble("site-a") == ""
    at[0] = 41.0
    assert found.trouble() == found.trouble("site-a") == "the scheduler tls://s:8786 does not answer"


@pytest.mark.parametrize(
    "address, told",
    [
        ("tcp://10.0.0.1:8786", "neither encrypted nor authenticated"),
        ("tcp://scheduler.example:8786", "neither encrypted nor authenticated"),
        ("tcp://127.0.0.1:8786", ""),
        ("tcp://[::1]:8786", ""),
        ("tcp://localhost:8786", ""),
        ("tls://scheduler.example:8786", ""),
        ("scheduler.example:8786", "is not the address of a scheduler"),
        ("tls://scheduler.example", "is not the address of a scheduler"),
        ("tls://scheduler.example:many", "is not the address of a scheduler"),
        ("ws://127.0.0.1:8786", "is not the address of a scheduler"),
    ],
)
def test_which_schedulers_are_taken(address: str, told: str) -> None:
    said = " ".join(p.message for p in Scheduler(address).problems())
    assert (told in said) if told else not said


SCHEDULER = ("--executor", "dask", "--scheduler", "tcp://127.0.0.1:9")


@pytest.mark.parametrize(
    "words, told",
    [
        (["--executor", "dask", "plan", "lab.yml"], "--executor dask needs a scheduler"),
        (["--scheduler", "tls://s:1", "plan", "lab.yml"], "--scheduler has no effect without --executor dask"),
        (["--tls-ca", "ca.pem", "--tls-key", "k", "plan", "lab.yml"], "--tls-ca, --tls-key have no effect without"),
        ([*SCHEDULER, "validate", "lab.yml"], "--executor has no effect with validate"),
        ([*SCHEDULER, "--tls-ca", "ca.pem", "plan", "lab.yml"], "--tls-ca ca.pem: there is no such file"),
        ([*SCHEDULER, "apply", "lab.yml"], "apply changes hosts, and --executor dask only reads them"),
        (["apply", "lab.yml", *SCHEDULER], "a change must be made at most once"),
        ([*SCHEDULER, "cluster", "drain", "hv01"], "a change must be made at most once"),
    ],
)
def test_what_is_refused_on_the_command_line(words: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 1
    assert told in " ".join(capsys.readouterr().err.split())


def test_meters_are_not_reset_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    requirements.dask()
    assert main([*SCHEDULER, "metering", "--reset"]) == 1
    assert "metering --reset changes hosts" in " ".join(capsys.readouterr().err.split())


def test_a_password_of_many_hosts_is_refused_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    requirements.dask()
    monkeypatch.chdir(tmp_path)
    text = "all: {vars: {ansible_user: u, ansible_password: plain-9}, hosts: {'hv[001:900]': }}\n"
    (tmp_path / "inventory.yml").write_text(text)
    (tmp_path / "lab.yml").write_text("- hosts: all\n  vms: [{name: web01}]\n")
    assert main([*SCHEDULER, "plan", "lab.yml"]) == 1
    said = [line for line in capsys.readouterr().err.splitlines() if "only here" in line]
    assert len(said) == 1
    assert said[0].startswith("inventory.yml:1:49: the password of hv001, hv002, ")
    assert "hv009 and 891 more is known only here" in said[0]


def test_every_verb_that_changes_hosts_says_why_it_is_refused() -> None:
    asks_no_host = "init serve history schema explain show validate report-schema inventory schedule".split()
    assert set(VERBS) <= {*READING, *CHANGING, *asks_no_host}


def test_what_is_missing_is_said_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", cast("Any", None))
    assert main([*SCHEDULER, "plan", "lab.yml"]) == 1
    said = " ".join(capsys.readouterr().err.split())
    assert "--executor dask needs dask.distributed; install it: python -m pip install 'hvctl[dask]'" in said


def test_certificates_that_are_missing_are_asked_for() -> None:
    requirements.dask()
    with pytest.raises(ConfigError, match="needs certificates"):
        Joined(Scheduler("tls://127.0.0.1:9"), print)
