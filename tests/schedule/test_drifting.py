"""`hvctl drift` again and again, and whom it tells: no test waits, the clock is a fake or the check is the first."""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
import threading
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.error import HTTPError

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import select

from hvctl.call import TransportError
from hvctl.cli.checked import checked
from hvctl.cli.drifting import Ways, drifting
from hvctl.cli.options import Settings
from hvctl.cli.prepared import Asked
from hvctl.core.check import Check
from hvctl.core.outcome import Outcome
from hvctl.history import place
from hvctl.history.opening import opened
from hvctl.history.runs import last_runs
from hvctl.history.schema import checks
from hvctl.monitor.listen import Listener, parse_address
from hvctl.monitor.news import NOTHING, news
from hvctl.monitor.schedule.lock import locked
from hvctl.monitor.watch import Rhythm, watch
from hvctl.show.digest import LONGEST, digest
from hvctl.show.metrics import state
from hvctl.text.machine import this_machine
from tests.schedule.conftest import FakeClock, Lab


def again(lab: Lab, clock: FakeClock, **ways: Any) -> tuple[int, str, str]:
    """`hvctl drift --every 15m lab.yml`, with the clock of the test."""
    settings, asked = Settings(lab.connect), Asked(("lab.yml",))
    with settings.stop.listening():
        status = drifting(settings, asked, Ways(**{"every": "15m", **ways}), lambda: checked(settings, asked), clock)
    out, err = lab.capsys.readouterr()
    assert "s3cret" not in out + err
    return status, out, err


# --- the rhythm -----------------------------------------------------------------------------------------------------


def test_checks_are_due_at_fixed_distances_however_long_they_take() -> None:
    clock = FakeClock([lambda: None] * 4)
    took = iter([100, 0, 1950, 899, 5])
    begun: list[float] = []
    said: list[str] = []

    def check() -> None:
        begun.append(clock.passed)
        clock.passed += next(took)

    with pytest.raises(KeyboardInterrupt):
        watch(check, Rhythm(900), clock, said.append)
    assert begun == [0, 900, 1800, 4500, 5400]
    assert [line for line in said if "left out" in line] == [
        "The check took longer than 15 min: 2 checks were left out."
    ]
    assert sum("Next check at 2026-03-01" in line for line in said) == 5


def test_splay_delays_each_check_and_does_not_add_up() -> None:
    clock = FakeClock([lambda: None] * 3, luck=0.5)
    begun: list[float] = []
    with pytest.raises(KeyboardInterrupt):
        watch(lambda: begun.append(clock.passed), Rhythm(900, splay=60), clock, lambda text: None)
    assert begun == [30, 930, 1830]


def test_a_check_leaves_nothing_behind_that_the_next_would_keep(lab: Lab) -> None:
    left: list[int] = []
    again(lab, FakeClock([lambda: left.append(gc.collect())] * 3))
    assert left[-1] < 20  # at first there is what was before


# --- what may not stop it, and what does --------------------------------------------------------------------------


def test_a_host_away_and_a_broken_playbook_do_not_stop_it(lab: Lab) -> None:
    file = lab.folder / "lab.yml"
    good = file.read_text(encoding="utf-8")

    def broken() -> None:
        file.write_text(good.replace("weight", "wieght"), encoding="utf-8")

    def mended() -> None:
        file.write_text(good, encoding="utf-8")
        lab.away.clear()

    clock = FakeClock([lambda: lab.away.add("hv02"), broken, mended])
    status, out, err = again(lab, clock)
    assert status == 130
    assert out.count("2 hosts: 2 in sync.") == 2
    assert out.count("2 hosts: 1 in sync, 1 unreachable.") == 1
    assert "lab.yml:6:29: unknown key 'wieght' in processor" in err
    assert "The next check reads the playbooks and the inventory again." in err
    assert err.count("Next check at") == 4


def test_a_fault_of_hvctl_in_one_check_is_told_and_the_next_is_made(lab: Lab) -> None:
    settings, asked = Settings(lab.connect), Asked(("lab.yml",))
    faults = [ZeroDivisionError("nobody thought of that")]

    def check() -> Check:
        if faults:
            raise faults.pop()
        return checked(settings, asked)

    status = drifting(settings, asked, Ways(every="15m"), check, FakeClock([lambda: None] * 2))
    out, err = lab.capsys.readouterr()
    assert status == 130
    assert err.count("ZeroDivisionError: nobody thought of that") == 1
    assert "This is a fault of hvctl." in err
    assert out.count("2 hosts: 2 in sync.") == 2
    assert err.count("Next check at") == 3


def test_what_is_wrong_from_the_start_is_told_at_once(lab: Lab) -> None:
    (lab.folder / "lab.yml").write_text("- hosts: hv01\n  vmms: []\n", encoding="utf-8")
    assert lab.hvctl("drift", "--every", "15m", "lab.yml")[0] == 1
    for words, why in {
        ("--every", "5s"): "--every 5s is too often; take 10s or more",
        ("--every", "1m", "--splay", "2m"): "--splay 2m is no less than --every 1m",
        ("--listen", ":0"): "--listen serves between checks",
        ("--every", "1m", "--listen", "9090"): "--listen: '9090' is not a valid address; write HOST:PORT",
        ("--every", "1m", "--listen", "192.0.2.1:9090"): "--listen 192.0.2.1:9090: ",
        ("--metrics", "no/such/hvctl.prom"): "--metrics no/such/hvctl.prom: there is no folder",
        ("--metrics", "."): "--metrics . cannot be written",
        ("--exclusive", "../x"): "--exclusive ../x: a name is made of",
        ("--notify", "nonsense://s3cr3t@host"): "--notify no. 1 (nonsense://…) is no URL that Apprise knows",
        ("--notify", "s3cr3t"): "--notify no. 1 is no URL that Apprise knows",
        ("--notify", "env:NO_SUCH"): "--notify env:NO_SUCH: the variable NO_SUCH is not set",
        ("--notify", "file:no/such"): "--notify file:no/such cannot be read: No such file",
        ("--notify", "file:/dev/null"): "the file holds no URL",
    }.items():
        status, _, err = lab.hvctl("drift", *words, "lab.yml")
        assert (status, why in err, "s3cr3t" in err) == (1, True, False), (words, err)


@pytest.fixture
def handlers() -> Iterator[None]:
    before = [(number, signal.getsignal(number)) for number in (signal.SIGINT, signal.SIGTERM)]
    yield
    assert [(number, signal.getsignal(number)) for number in (signal.SIGINT, signal.SIGTERM)] == before


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_in_a_pause_ends_it_at_once(lab: Lab, handlers: None, number: signal.Signals, status: int) -> None:
    found, out, err = again(lab, FakeClock([lambda: os.kill(os.getpid(), number)] * 2))
    assert (found, out.count("in sync."), "Stopped." in err) == (status, 1, True)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_in_a_check_ends_it(lab: Lab, handlers: None, number: signal.Signals, status: int) -> None:
    lab.asked_once = lambda: os.kill(os.getpid(), number)
    found, _, err = again(lab, FakeClock(), metrics="hvctl.prom")
    word = {signal.SIGTERM: "Stopping (SIGTERM)", signal.SIGINT: "Interrupted"}[number]
    assert (found, f"{word}: nothing more is begun." in err, "Stopped." in err) == (status, True, True)
    # Half of a check is nothing to tell.
    assert not (lab.folder / "hvctl.prom").exists()


def test_what_a_schedule_ran_is_remembered_however_it_ended(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    words, here = ("drift", "--exclusive", "lab", "--history", "h.db"), this_machine()
    assert lab.hvctl("--schedule", "lab=1h", *words, "lab.yml")[0] == 0
    with locked(lab.folder / "state" / "hvctl" / "locks" / "lab.lock", datetime(2026, 3, 1, tzinfo=UTC)):
        assert lab.hvctl("--schedule", "lab=1h", *words, "lab.yml")[0] == 75
    assert lab.hvctl("--schedule", "夜間=0 3 * * mon-fri", *words, "none.yml")[0] == 1
    monkeypatch.setenv("HVCTL_MACHINE", "ctl2")
    assert lab.hvctl("--schedule", "lab=2h", *words, "lab.yml")[0] == 0
    with opened(place("h.db")).connect() as connection:
        *ours, second = last_runs(connection)
        assert connection.execute(select(checks.c.machine)).scalars().all() == [here, "ctl2"]
    assert {(one.machine, one.rhythm) for one in ours} == {(here, "every 1 h"), ("ctl2", "every 2 h")}
    first = next(one for one in ours if one.machine != "ctl2")
    assert (first.schedule, first.verb, first.rhythm, first.exit_status) == ("lab", "drift", "every 1 h", 75)
    assert first.next == first.started + timedelta(hours=1)
    assert (second.schedule, second.exit_status, second.playbooks) == ("夜間", 1, ("none.yml",))
    assert second.next is not None and second.next.astimezone().hour == 3
    for wrong in ("lab", "lab=sometimes", "=1h"):
        assert lab.hvctl("--schedule", wrong, *words, "lab.yml")[0] == 1


def test_containers_that_nobody_named_are_one_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HVCTL_MACHINE", raising=False)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    assert this_machine() == "container"
    monkeypatch.setenv("HVCTL_MACHINE", " ctl.東京 ")
    assert this_machine() == "ctl.東京"


def test_a_second_one_is_left_out_and_says_so(lab: Lab) -> None:
    with locked(lab.folder / "state" / "hvctl" / "locks" / "lab.lock", datetime(2026, 3, 1, tzinfo=UTC)):
        status, out, err = lab.hvctl("drift", "--exclusive", "lab", "lab.yml")
        assert (status, out) == (75, "")
        assert f"Left out: lab is being checked already by process {os.getpid()} of " in err
        assert lab.hvctl("drift", "--exclusive", "other", "lab.yml")[0] == 0
    assert lab.hvctl("drift", "--exclusive", "lab", "lab.yml")[0] == 0
    (lab.folder / "state" / "hvctl" / "locks" / "dir.lock").mkdir()
    status, _, err = lab.hvctl("drift", "--exclusive", "dir", "lab.yml")
    assert (status, "cannot be made: Is a directory" in err) == (1, True)


# --- metrics --------------------------------------------------------------------------------------------------------


def samples(text: str) -> dict[str, float]:
    """Every sample by its name and labels; what promtool's lint would say is asserted on the way."""
    found = {}
    for family in text_string_to_metric_families(text):
        assert family.documentation, family.name
        assert family.name.startswith("hvctl_") and family.type == "gauge"
        assert not family.name.endswith(("_total", "_ms", "_milliseconds", "_count", "_sum", "_bucket", "_info_total"))
        if "duration" in family.name or "timestamp" in family.name:
            assert family.name.endswith("_seconds")
        for sample in family.samples:
            labels = ",".join(f"{k}={v}" for k, v in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}"] = sample.value
    return found


def test_metrics_of_a_check(lab: Lab) -> None:
    assert lab.hvctl("drift", "--metrics", "hvctl.prom", "lab.yml")[0] == 0
    file = lab.folder / "hvctl.prom"
    before = samples(file.read_text(encoding="utf-8"))
    lab.drift("hv01", 50)
    lab.away.add("hv02")
    assert lab.hvctl("drift", "--metrics", "hvctl.prom", "lab.yml")[0] == 6
    now = samples(file.read_text(encoding="utf-8"))
    assert file.stat().st_mode & 0o444 == 0o444
    assert [f.name for f in lab.folder.glob("hvctl.prom*")] == ["hvctl.prom"]
    assert {k: v for k, v in now.items() if k.startswith(("hvctl_hosts", "hvctl_host_up", "hvctl_drifted"))} == {
        "hvctl_hosts{state=in_sync}": 0,
        "hvctl_hosts{state=accepted}": 0,
        "hvctl_hosts{state=drifted}": 1,
        "hvctl_hosts{state=unreachable}": 1,
        "hvctl_hosts{state=unreadable}": 0,
        "hvctl_host_up{host=hv01}": 1,
        "hvctl_host_up{host=hv02}": 0,
        "hvctl_drifted_fields{host=hv01,kind=vm}": 0,
        "hvctl_drifted_fields{host=hv01,kind=processor}": 1,
    }
    assert now["hvctl_winrm_requests{host=hv02}"] == 5
    assert now["hvctl_build_info{version=0.1.0}"] == 1
    success = "hvctl_last_success_timestamp_seconds{host=%s}"
    assert now[success % "hv01"] == now["hvctl_check_timestamp_seconds{}"] > before[success % "hv01"]
    # A host that is away keeps the time when it was read last, over runs of hvctl.
    assert now[success % "hv02"] == before[success % "hv02"]


def test_a_file_that_cannot_be_written_spoils_nothing(lab: Lab) -> None:
    file = lab.folder / "hvctl.prom"
    file.write_text("not metrics {", encoding="utf-8")

    def in_the_way() -> None:
        file.unlink()
        file.mkdir()

    lab.asked_once = in_the_way
    status, out, err = lab.hvctl("drift", "--metrics", "hvctl.prom", "lab.yml")
    assert (status, "2 in sync." in out) == (0, True)
    assert "warning: the metrics could not be written to hvctl.prom: Is a directory" in err


def get(port: int, path: str, accept: str = "*/*") -> tuple[int, str, str]:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"Accept": accept})
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except HTTPError as error:
        return error.code, "", error.read().decode()


def test_the_listener_serves_the_last_check_and_its_age(lab: Lab) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    seen: list[tuple[int, str, str]] = []
    clock = FakeClock()

    def look() -> None:
        seen.extend(get(port, path) for path in ("/metrics", "/healthz", "/", "/nope"))
        clock.passed += 1000  # two intervals without a check
        seen.append(get(port, "/healthz?full"))
        seen.append(get(port, "/metrics", "application/openmetrics-text; version=1.0.0"))
        raise KeyboardInterrupt

    clock.then = [look]
    lab.asked_once = lambda: seen.append(get(port, "/metrics"))
    assert again(lab, clock, listen=f"127.0.0.1:{port}")[0] == 130
    early, page, health, index, nope, overdue, open_metrics = seen
    assert set(samples(early[2])) == {"hvctl_build_info{version=0.1.0}"}
    assert page[0] == 200 and page[1].startswith("text/plain; version=")
    assert samples(page[2])["hvctl_hosts{state=in_sync}"] == 2
    assert (health[0], health[2]) == (200, "ok: 15 min since the last check\n")
    assert (index[0], nope[0]) == (200, 404)
    assert (overdue[0], overdue[2]) == (503, "overdue: 31 min 40 s since the last check\n")
    assert open_metrics[1].startswith("application/openmetrics-text") and open_metrics[2].endswith("# EOF\n")


def test_addresses() -> None:
    assert parse_address(":9377") == ("127.0.0.1", 9377)
    assert parse_address("0.0.0.0:9377") == ("0.0.0.0", 9377)
    assert parse_address("[::]:9377") == ("::", 9377)
    assert parse_address("[::1]:9377") == ("::1", 9377)
    for wrong in ("localhost", "::1:9377", "host:port", "host:70000", "host:" + "9" * 5000, "h:²"):
        with pytest.raises(ValueError, match=r"IPv6|not a valid address"):
            parse_address(wrong)
    clock = FakeClock()
    with Listener(("127.0.0.1", 0), 10, clock.monotonic) as listener:
        assert get(listener.port, "/healthz")[2] == "ok: 0 s since the start\n"


# --- notifications --------------------------------------------------------------------------------------------------


class Inbox:
    """A web hook on loopback. `refuse`: it answers with an error."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        self.refuse = False
        inbox = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if not inbox.refuse:
                    inbox.got.append(body)
                self.send_response(503 if inbox.refuse else 200)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None: ...

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"json://127.0.0.1:{self.server.server_address[1]}/hook/s3cret-path"


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    found = Inbox()
    yield found
    found.server.shutdown()
    found.server.server_close()


def test_only_changes_are_told(lab: Lab, inbox: Inbox, caplog: pytest.LogCaptureFixture) -> None:
    heard: list[int] = []

    def then(change: Callable[[], object]) -> Callable[[], None]:
        def pause() -> None:
            heard.append(len(inbox.got))
            change()

        return pause

    clock = FakeClock([
        then(lambda: lab.drift("hv01", 50)),
        then(lambda: None),
        then(lambda: lab.away.add("hv01")),
        then(lab.away.clear),
        then(lambda: lab.drift("hv01", 200)),
        then(lambda: None),
    ])  # fmt: skip
    (lab.folder / "url").write_text(f"# the team's hook\n{inbox.url}\n", encoding="utf-8")
    assert again(lab, clock, notify=["file:url"])[0] == 130
    assert heard == [0, 1, 1, 2, 3, 4]
    drifted, lost, back, right = inbox.got
    assert (drifted["title"], drifted["type"]) == ("hvctl: 1 field drifted", "warning")
    assert drifted["message"].splitlines() == [
        "Drifted:",
        "  hv01 processor web01 weight: 50, should be 200 (lab.yml:6:37)",
        "2 hosts: 1 drifted, 1 in sync.",
        drifted["message"].splitlines()[-1],
    ]
    assert lost["title"] == "hvctl: 1 host lost"
    assert "  hv01: connection refused by 192.0.2.1:5986 (5 tries in 8 s)" in lost["message"]
    # It is back as it was: what drifted before it went is no news.
    assert (back["title"], back["type"]) == ("hvctl: 1 host back", "success")
    assert right["title"] == "hvctl: 1 field as wished again"
    assert "s3cret" not in json.dumps(inbox.got) + caplog.text


def test_what_could_not_be_delivered_is_told_after_the_next_check(
    lab: Lab, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEAM", inbox.url)
    lab.away.add("hv02")
    inbox.refuse = True

    def open_again() -> None:
        inbox.refuse = False

    status, out, err = again(lab, FakeClock([open_again]), notify=["env:TEAM"])
    assert (status, out.count("1 unreachable")) == (130, 2)
    warning = "warning: --notify no. 1 (json://…) did not take the notification: it answered with HTTP status 503"
    assert err.count(warning + "; it is tried again after the next check") == 1
    # The first check tells what is wrong then: nothing was known before.
    assert [n["title"] for n in inbox.got] == ["hvctl: 1 host lost"]


def test_nobody_to_tell_spoils_nothing(lab: Lab) -> None:
    lab.away.add("hv02")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"json://127.0.0.1:{closed.getsockname()[1]}/hook/s3cret-path"
        status, _, err = again(lab, FakeClock(), notify=[url])
    assert (status, "did not take the notification: it cannot be reached" in err) == (130, True)


def test_news_of_what_could_not_be_read(lab: Lab) -> None:
    """A host that is lost takes its drift along; a check of other hosts leaves it as it was."""
    lab.drift("hv01", 50)
    settings, asked = Settings(lab.connect), Asked(("lab.yml",))
    first = checked(settings, asked)
    found, known = news(NOTHING, first)
    assert [str(s) for s in found.appeared] == ["hv01 processor web01 weight"]
    unasked = Outcome("hv01", error=TransportError("the scheduler was lost", unasked=True))
    told, _ = news(known, Check("drift", ("lab.yml",), first.started, first.finished, (unasked,), 4))
    assert not told  # of the host nothing is known
    lost = Outcome("hv01", error=TransportError("gone"))
    gone = Check("drift", ("lab.yml",), first.started, first.finished, (lost, first.outcomes[1]), 4)
    found, known = news(known, gone)
    assert (found.lost, found.went) == (("hv01",), ())
    plan = first.outcomes[0].plan
    assert plan is not None
    blind = Outcome(
        "hv01", replace(plan, actions=tuple(replace(a, verb="unknown", lines=()) for a in plan.actions if a.differs))
    )
    assert state(blind) == "unreadable"
    found, _ = news(known, Check("drift", ("lab.yml",), first.started, first.finished, (blind,), 4))
    assert (found.back, found.went) == (("hv01",), ())
    other = Check("drift", ("lab.yml",), first.started, first.finished, (first.outcomes[1],), 0)
    found, known = news(known, other)
    assert not found
    found, _ = news(known, first)
    assert (found.back, found.appeared, found.went) == (("hv01",), (), ())


def test_a_digest_is_short_whatever_happened(lab: Lab) -> None:
    hosts = tuple(Outcome(f"hv{n:04}", error=TransportError("x" * 500)) for n in range(900))
    now = datetime(2026, 3, 1, tzinfo=UTC)
    check = Check("drift", ("lab.yml",), now, now, hosts, 4)
    found, _ = news(NOTHING, check)
    text = digest(check, found)
    assert text.title == "hvctl: 900 hosts lost"
    assert len(text.body) <= LONGEST
    lines = text.body.splitlines()
    assert lines[-3:] == [
        f"… and {901 - len(lines) + 3} lines more: hvctl drift",
        "900 hosts: 900 unreachable.",
        "lab.yml, 2026-03-01 00:00 UTC",
    ]


def test_one_check_without_a_memory_says_that_it_tells_nothing(lab: Lab, inbox: Inbox) -> None:
    status, _, err = again(lab, FakeClock(), every=None, notify=[inbox.url])
    assert (status, err) == (0, "")
    lab.away.add("hv02")
    status, _, err = again(lab, FakeClock(), every=None, notify=[inbox.url])
    assert (status, "warning: no notification: without a history or --every" in err) == (4, True)
    assert inbox.got == []


def test_single_checks_with_a_history_tell_changes_only(lab: Lab, inbox: Inbox) -> None:
    def check() -> int:
        return lab.hvctl("drift", "lab.yml", "--notify", inbox.url)[0]

    assert check() == 0
    lab.drift("hv01", 50)
    assert [check(), check()] == [2, 2]
    lab.drift("hv01", 200)
    assert [check(), check()] == [0, 0]
    assert [one["title"] for one in inbox.got] == ["hvctl: 1 field drifted", "hvctl: 1 field as wished again"]
