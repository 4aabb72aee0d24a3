"""Hosts of one's own: their format, which are served, and why others are not; time that passes by itself."""

from __future__ import annotations

import json
import random
import re
import socket
import sys
import threading
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from mocks.__main__ import HOSTS, main
from mocks.clock import Clock, RunningClock
from mocks.host import SimulatedHost
from mocks.json_schema import json_schema
from mocks.lab import NotServedError, inventory_of, read_lab
from tests.harness import CASES
from tests.mocks.hosts import done, host

VALIDATOR = jsonschema.Draft202012Validator(json_schema())
STATES = {
    **{file.stem: yaml.safe_load(file.read_text(encoding="utf-8")) for file in sorted(HOSTS.glob("*.yaml"))},
    **{f"{file.parent.name}/{file.stem}": yaml.safe_load(file.read_text(encoding="utf-8")).get("host") or {}
       for file in sorted(CASES.glob("*/*.yaml"))},
}  # fmt: skip


# --- the format ---------------------------------------------------------------------------------------------------


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())


def test_every_host_of_the_project_is_of_the_format() -> None:
    wrong = {name: str(error) for name, state in STATES.items() for error in VALIDATOR.iter_errors(state)}
    assert wrong == {}
    assert len(STATES) > 300


def test_what_a_host_is_written_out_as_is_of_the_format() -> None:
    for file in HOSTS.glob("*.yaml"):
        assert VALIDATOR.is_valid(SimulatedHost.from_yaml(file).snapshot())


def test_the_example_of_the_documentation_is_of_the_format_and_a_host() -> None:
    text = (Path(__file__).parents[2] / "docs" / "simulated-host.md").read_text(encoding="utf-8")
    examples = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)]
    assert examples
    for example in examples:
        VALIDATOR.validate(example)
        assert SimulatedHost.from_yaml(example).state.vms


@pytest.mark.parametrize(
    "state",
    [
        {"vms": [{"name": "a", "color": 1}]},
        {"vms": [{}]},
        {"vms": [{"name": "a", "state": "Flying"}]},
        {"vms": [{"name": "a", "drives": [{"at": "sata 0"}]}]},
        {"os": "2023"},
        {"language": "fr"},
        {"memory": "much"},
        {"vms": [{"name": "a", "guest": {"contact": {"shutdown": "Asleep"}}}]},
        {"vms": [{"name": "a", "guest": {"shutdown": "never"}}]},
        {"vhds": {r"D:\a.vhdx": {"colour": 1}}},
        {"vms": {"a": {}}},
        {"vhds": {r"D:\a.vhdx": "big"}},
        {"volumes": ["D"]},
    ],
)
def test_schema_and_host_refuse_the_same(state: dict[str, Any]) -> None:
    assert not VALIDATOR.is_valid(state)
    with pytest.raises((ValueError, TypeError)):
        SimulatedHost.from_yaml(state)


def _mutated(value: Any, chance: random.Random, junk: list[Any]) -> Any:
    if chance.random() < 0.03:
        return chance.choice(junk)
    if isinstance(value, dict):
        return {k: _mutated(v, chance, junk) for k, v in value.items() if chance.random() > 0.02}
    if isinstance(value, list):
        return [_mutated(v, chance, junk) for v in value]
    return value


@pytest.mark.parametrize("seed", range(8))
def test_a_host_that_is_none_is_refused_by_a_reason(seed: int) -> None:
    chance = random.Random(seed)
    junk: list[Any] = [
        None,
        "",
        "x",
        -1,
        10**30,
        1.5,
        [],
        [None],
        {},
        {"x": 1},
        True,
        "ide 7:9",
        "scsi 0:0",
        [{"name": "x"}],
    ]
    refused = 0
    for state in chance.sample(list(STATES.values()), 60):
        mutated = _mutated(state, chance, junk)
        if not isinstance(mutated, dict):
            continue
        try:
            SimulatedHost.from_yaml(mutated)
        except (ValueError, TypeError) as error:
            refused += 1
            assert str(error)
    assert refused > 5


# --- which are served ---------------------------------------------------------------------------------------------


def lab(folder: Path, **files: str) -> Path:
    """`a__b` stands for a.b."""
    for name, text in files.items():
        (folder / (name.replace("__", ".") + ".yaml")).write_text(text, encoding="utf-8")
    return folder


def inventory(**ports: object) -> str:
    hosts = {name: {"ansible_host": "127.0.0.1", "ansible_port": port} for name, port in ports.items()}
    return yaml.safe_dump({"all": {"children": {"lab": {"hosts": {**hosts, "real": {"ansible_host": "192.0.2.1"}}}}}})


def test_a_host_that_cannot_be_served_says_why_and_the_others_are(tmp_path: Path) -> None:
    folder = lab(
        tmp_path,
        inventory=inventory(
            good=5001, also=5002, colors=5003, broken=5004, old=5005, lost=5006, twice=5001, far=0, switchless=5007, words=5008
        ),
        good="os: 2022\nvms: [{name: web01}]\n",
        also="",
        colors="vms:\n- {name: web01, colour: red}\n",
        broken="vms: [{name: web01}\nos: 2022\n",
        old="os: 2008\n",
        twice="os: 2019\n",
        far="os: 2019\n",
        switchless="vms: [{name: a, adapters: [{switch: lan}]}]\n",
        stranger="os: 2022\n",
        real="os: 2022\n",
        words="a host\n",
    )  # fmt: skip
    found = read_lab(folder, folder / "inventory.yaml", Clock)
    assert {name: (on.os, on.state.name, port) for name, (on, port) in found.served.items()} == {
        "good": ("2022", "GOOD", 5001),
        "also": ("2022", "ALSO", 5002),
    }
    at = folder / "inventory.yaml"
    for line in (
        f"colors is not served: {folder / 'colors.yaml'}: host.vms[0]: unknown colour; known: name, id, ",
        f"broken is not served: {folder / 'broken.yaml'}:2:1: ",
        f"old is not served: {folder / 'old.yaml'}: host.os: 2008 is not one of 2012, 2012r2, 2016, 2019, 2022, 2025",
        f"twice is not served: {at}: port 5001 is that of good already",
        f"far is not served: {at}: far: ansible_port: 0 is not a port",
        f"switchless is not served: {folder / 'switchless.yaml'}: adapter 'Network Adapter': no switch 'lan' on the host",
        f"words is not served: {folder / 'words.yaml'}: expected keys and values, not 'a host'",
        f"stranger is not served: {at} has no host stranger with ansible_host: 127.0.0.1",
        f"real is not served: {at} has no host real with ansible_host: 127.0.0.1",
    ):
        assert any(said.startswith(line) for said in found.refused), (line, found.refused)
    assert len(found.refused) == 9
    assert found.absent == (f"lost is not served: there is no {folder / 'lost'}.yaml",)


def test_an_inventory_that_cannot_be_read_serves_nobody(tmp_path: Path) -> None:
    folder = lab(tmp_path, inventory="all: {hosts: [", a="os: 2022\n")
    with pytest.raises(NotServedError, match=r"inventory\.yaml:1:\d+: "):
        read_lab(folder, folder / "inventory.yaml", Clock)
    assert inventory_of(folder) == folder / "inventory.yaml"
    with pytest.raises(NotServedError, match="No such file"):
        read_lab(folder, folder / "none.yaml", Clock)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])


def test_ones_own_hosts_are_served_around_a_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    folder = lab(
        tmp_path, inventory=inventory(own=free_port(), bad=free_port()), own="vms: [{name: web01}]", bad="os: 7"
    )
    command = [sys.executable, "-m", "mocks", "invoke", "own", "Set-VM", "Name=web01", "Notes=n"]
    options = [
        "--hosts",
        str(folder),
        "--time",
        "600x",
        "--calls",
        "calls.jsonl",
        "--fault",
        "Set-VM:error=in_use,nth=2",
    ]
    assert main(["run", *options, "--", *command]) == 0
    assert "bad is not served" in capsys.readouterr().err
    (call,) = (json.loads(line) for line in (tmp_path / "calls.jsonl").read_text(encoding="utf-8").splitlines())
    assert (call["host"], call["cmdlet"], call["params"]) == ("own", "Set-VM", {"Name": ["web01"], "Notes": "n"})
    assert main(["run", *options, "--fault", "Set-VM:error=in_use", "--", *command]) == 1
    assert "own: Set-VM: call 1 fails before its effect" in capsys.readouterr().err


@pytest.mark.parametrize("pace", [["--speed", "1"], ["--time", "1x"]])
def test_time_is_let_pass_at_once_around_a_command(
    pace: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    vm = "{name: web01, state: Running, resource_metering_enabled: true, usage: {processor_mhz: 500}}"
    folder = lab(tmp_path, inventory=inventory(own=free_port()), own=f"vms: [{vm}]")
    mocks = f"{sys.executable} -m mocks"
    script = f"{mocks} pass 10d && {mocks} invoke own Checkpoint-VM Name=web01"
    assert main(["run", "--hosts", str(folder), *pace, "--calls", "calls.jsonl", "--", "sh", "-c", script]) == 0
    assert "Checkpoint-VM" in (tmp_path / "calls.jsonl").read_text(encoding="utf-8")


def test_no_time_passes_where_nothing_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("HVCTL_SIMULATED_CONTROL", raising=False)
    assert main(["pass", "10d"]) == 1
    assert "No simulated hosts run here" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["pass", "soon"])
    assert "'soon' is not a span of time" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (["run", "--hosts", "none", "--", "true"], 1, "none is not a folder"),
        (["run", "--hosts", ".", "--", "true"], 1, "No host of . can be served."),
        (["run", "--time", "fast", "--", "true"], 2, "'fast' is not a rate such as 60x"),
        (["run", "--time", "0x", "--", "true"], 2, "'0x' is not a rate such as 60x"),
        (["run", "--time", "60x", "--speed", "1", "--", "true"], 2, "not allowed with"),
        (["run", "--fault", "Set-VM:often=1", "--", "true"], 2, "a failing cmdlet has no 'often'"),
    ],
)
def test_what_cannot_be_run_is_told(
    words: list[str], status: int, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    lab(tmp_path, inventory=inventory())
    try:
        assert main(words) == status
    except SystemExit as ended:
        assert ended.code == status
    assert says in capsys.readouterr().err


def test_the_schema_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out) == json_schema()


# --- time ---------------------------------------------------------------------------------------------------------


def test_time_that_is_skipped_is_waited_for_by_nobody_and_what_falls_due_happens() -> None:
    seen: list[str] = []
    for clock in (Clock(1000.0), RunningClock(0.001)):
        clock.after(3600, lambda: seen.append("due"))
        clock.skip(7200)
        assert clock.now() == pytest.approx(7200, abs=1)
    assert seen == ["due", "due"]


def test_time_passes_by_itself_at_its_rate() -> None:
    real = 100.0
    clock = RunningClock(3600, lambda: real)
    seen: list[float] = []
    clock.after(1800, lambda: seen.append(clock.now()))
    real = 100.4
    clock.tick()
    assert seen == [] and clock.now() == pytest.approx(1440)
    real = 101.0
    clock.tick()
    assert seen == [pytest.approx(3600)], "it is noticed when somebody looks"
    assert clock.utc().hour == 1


def test_what_falls_due_happens_though_nobody_looks() -> None:
    clock, happened = RunningClock(1_000_000), threading.Event()
    clock.after(3600, happened.set)
    with clock.running():
        assert happened.wait(60)


def test_an_export_goes_on_while_nobody_looks() -> None:
    real = 0.0
    clock = RunningClock(60, lambda: real)
    on = host(vms=[{"name": "web01"}], folders=[r"D:\e"])
    on = SimulatedHost.from_yaml(on.snapshot(), clock)
    job = on.invoke("Export-VM", {"Name": "web01", "Path": r"D:\e", "AsJob": True}).job
    assert job is not None
    before = len(done(on, "Get-ChildItem", LiteralPath=r"D:\e", Recurse=True))
    real = 60.0  # an hour
    clock.tick()
    assert len(done(on, "Get-ChildItem", LiteralPath=r"D:\e", Recurse=True)) > before
