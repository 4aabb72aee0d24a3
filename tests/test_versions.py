"""What some hosts of a run are too old for: it is told of them, and the others go on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from hvctl.call import Transport
from hvctl.cli import main
from hvctl.config.inventory import Connection
from hvctl.contract import VERSIONS, elsewhere
from hvctl.fleet.connect import Wire
from mocks.host import SimulatedHost
from mocks.twin import TwinTransport

ID = "11111111-1111-1111-1111-111111111111"
TITLES = {"2012": "Windows Server 2012", "2012r2": "Windows Server 2012 R2", "2016": "Windows Server 2016"}


def vm(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "id": ID, "generation": 1, "state": "Off", "drives": [], "adapters": [], **more}


@dataclass(frozen=True)
class Fleet:
    """`told`: what is said of a host that is too old, without its name. `sent`: the setters of the others."""

    play: str
    hosts: Mapping[str, str]
    state: Mapping[str, Any]
    told: Mapping[str, tuple[str, ...]]
    sent: Mapping[str, tuple[str, ...]]
    allow: tuple[str, ...] = ()


IOPS = Fleet(
    r"vms: [{name: sql01, disks: [{at: scsi 0:0, path: 'D:\sql.vhdx', iops: {maximum: 500}}]}]",
    {"old": "2012", "new": "2012r2"},
    {"vms": [vm("sql01", drives=[{"at": "scsi 0:0", "path": r"D:\sql.vhdx"}])], "vhds": {r"D:\sql.vhdx": {}}},
    {"old": ("{} does not have iops.maximum; it exists from Windows Server 2012 R2 on",)},
    {"new": ("Set-VMHardDiskDrive",)},
)
CHECKPOINTS = Fleet(
    "vms: [{name: web01, checkpoint_type: standard, notes: of all}]",
    {"old": "2012r2", "mid": "2016", "new": "2025"},
    {"vms": [vm("web01")]},
    {"old": ("{} does not have checkpoint_type; it exists from Windows Server 2016 on",)},
    {"old": ("Set-VM",), "mid": ("Set-VM",), "new": ("Set-VM",)},
)
PROCESSORS = Fleet(
    "vms: [{name: a, processor: {count: 128}}]",
    {"old": "2012r2", "new": "2016"},
    {"logical_processors": 256, "vms": [vm("a", generation=2)]},
    {"old": ("128 processors are more than the 64 that a VM on {} can have",)},
    {"new": ("Set-VMProcessor",)},
)
CONFIGURATION = Fleet(
    "vms: [{name: c, generation: 2, version: '9.0', memory: {startup: 1GB}}]",
    {"old": "2016", "new": "2019"},
    {"vms": []},
    {"old": ("{} runs VMs of versions 5.0 to 8.0",)},
    {"new": ("New-VM", "Set-VMMemory")},
)
SECURE_BOOT = Fleet(
    "vms: [{name: lin01, firmware: {secure_boot: on, secure_boot_template: microsoft_uefi_certificate_authority}}]",
    {"old": "2012r2", "new": "2016"},
    {"vms": [vm("lin01", generation=2, firmware={"secure_boot": False})]},
    {"old": ("{} does not have secure_boot_template; it exists from Windows Server 2016 on",)},
    {"new": ("Set-VMFirmware",)},
)
NEWER = Fleet(
    "vms: [{name: web01, network_adapters: [{name: lan, protected_network: false}],"
    " integration_services: {guest_service_interface: on}}]",
    {"old": "2012", "new": "2012r2"},
    {"vms": [vm("web01", adapters=[{"name": "lan"}])]},
    {
        "old": (
            "{} does not have protected_network; it exists from Windows Server 2012 R2 on",
            "{} has no Guest Service Interface; it exists from Windows Server 2012 R2 on",
        )
    },
    {"new": ("Set-VMNetworkAdapter", "Enable-VMIntegrationService")},
)
TEAM = Fleet(
    "switches: [{name: team, type: external, net_adapters: [NIC A, NIC B]}]",
    {"old": "2012r2", "new": "2022"},
    {"net_adapters": [{"name": "NIC A"}, {"name": "NIC B"}, {"name": "Mgmt"}]},
    {"old": ("{} has no embedded teaming and no packet direct; it exists from Windows Server 2016 on",)},
    {"new": ("New-VMSwitch",)},
    allow=("disconnect", "management"),
)
NESTED = Fleet(
    "vms: [{name: nest01, processor: {expose_virtualization_extensions: on}}]",
    {"old": "2012r2", "new": "2022"},
    {"vms": [vm("nest01", generation=2)]},
    {"old": ("{} does not have expose_virtualization_extensions; it exists from Windows Server 2016 on",)},
    {"new": ("Set-VMProcessor",)},
)
GENERATION = Fleet(
    "vms: [{name: old01, generation: 2, memory: {startup: 1GB}}]",
    {"old": "2012", "new": "2022"},
    {"vms": []},
    {"old": ("{} has no generation 2; it exists from Windows Server 2012 R2 on",)},
    {"new": ("New-VM", "Set-VMMemory")},
)
FLEETS = {
    "iops": IOPS,
    "checkpoints": CHECKPOINTS,
    "processors": PROCESSORS,
    "configuration": CONFIGURATION,
    "secure boot": SECURE_BOOT,
    "newer": NEWER,
    "team": TEAM,
    "nested": NESTED,
    "generation": GENERATION,
}
Run = Callable[..., tuple[int, str, str]]


@dataclass
class Lab:
    folder: Path
    run: Run = lambda *words: (0, "", "")
    hosts: dict[str, SimulatedHost] = field(default_factory=dict)

    def given(self, fleet: Fleet, *, declared: bool = True, play: str = "") -> None:
        self.hosts |= {
            name: SimulatedHost.from_yaml({**fleet.state, "name": name, "os": os}) for name, os in fleet.hosts.items()
        }
        inventory = "\n".join(f"    {n}: {{{f'hvctl_os: {os}' if declared else ''}}}" for n, os in fleet.hosts.items())
        (self.folder / "inventory.yml").write_text(
            f"all:\n  vars: {{ansible_user: a, ansible_password: !env HVCTL_TEST_PASSWORD}}\n  hosts:\n{inventory}\n",
            encoding="utf-8",
        )
        (self.folder / "play.yml").write_text(play or f"- hosts: all\n  {fleet.play}\n", encoding="utf-8")

    def sent(self, name: str) -> tuple[str, ...]:
        found = (call.cmdlet for call in self.hosts[name].log)
        return tuple(dict.fromkeys(c for c in found if c.partition("-")[0] in ("Set", "New", "Enable", "Add")))


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Lab]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("HVCTL_TEST_PASSWORD", "s3cret-in-tests")
    monkeypatch.setenv("COLUMNS", "200")
    found = Lab(tmp_path)

    def connect(connection: Connection, wire: Wire) -> Transport:
        return TwinTransport(found.hosts[connection.name])

    def run(*words: str) -> tuple[int, str, str]:
        status = main([words[0], "--no-history", *words[1:]] if words[0] == "apply" else list(words), connect)
        out, err = capsys.readouterr()
        return status, out, " ".join(err.split())

    found.run = run
    yield found


def told(fleet: Fleet, *, names: bool) -> list[str]:
    """As it is said offline, with the host, or in the plan of the host, without."""
    return [
        text.format(TITLES[fleet.hosts[name]] + (f" ({name})" if names else ""))
        for name, texts in fleet.told.items()
        for text in texts
    ]


@pytest.mark.parametrize("fleet", FLEETS.values(), ids=FLEETS)
@pytest.mark.parametrize("declared", [True, False], ids=["declared", "asked"])
def test_the_others_go_on(lab: Lab, fleet: Fleet, declared: bool) -> None:
    lab.given(fleet, declared=declared)
    status, _, err = lab.run("validate", "play.yml")
    assert status == 0
    assert all((f"warning: {text}" in err) == declared for text in told(fleet, names=True)), err
    status, out, err = lab.run("plan", "play.yml", "--detailed-exitcode")
    assert status == 2
    flat = " ".join(out.split())
    assert all(text in flat for text in told(fleet, names=False)), out
    allow = [word for one in fleet.allow for word in ("--allow", one)]
    status, out, err = lab.run("apply", "play.yml", "--auto-approve", *allow)
    assert status == 2, out + err
    assert {n: s for n in fleet.hosts if (s := lab.sent(n))} == fleet.sent
    assert lab.run("drift", "play.yml")[0] == 2


@pytest.mark.parametrize("fleet", FLEETS.values(), ids=FLEETS)
def test_what_no_host_of_the_run_takes_is_an_error(lab: Lab, fleet: Fleet) -> None:
    lab.given(fleet)
    for verb in ("validate", "plan", "drift"):
        status, _, err = lab.run(verb, "play.yml", "--limit", "old")
        assert status == 1
        assert all(text in err for text in told(fleet, names=True)), err
        assert "warning" not in err
    assert not any(host.log for host in lab.hosts.values())


@pytest.mark.parametrize("fleet", FLEETS.values(), ids=FLEETS)
def test_hosts_that_have_it_are_not_told_of_the_others(lab: Lab, fleet: Fleet) -> None:
    lab.given(fleet)
    assert lab.run("validate", "play.yml", "--limit", "all,!old")[::2] == (0, "")


def test_a_play_for_the_old_hosts_does_not_stop_the_plays_for_the_others(lab: Lab) -> None:
    play = "- hosts: old\n  vms: [{name: web01, checkpoint_type: standard}]\n- hosts: new\n  vms: [{name: web01, notes: x}]\n"
    lab.given(CHECKPOINTS, play=play)
    status, _, err = lab.run("apply", "play.yml", "-y")
    assert (status, "play.yml:2:40: warning: Windows Server 2012 R2 (old) does not have" in err) == (2, True), err
    assert lab.sent("new") == ("Set-VM",)
    assert lab.sent("old") == ()


def test_all_hosts_of_a_version_stand_in_one_message(lab: Lab) -> None:
    lab.given(Fleet(CHECKPOINTS.play, {"a": "2012", "b": "2012r2", "c": "2012", "d": "2022"}, {}, {}, {}))
    _, _, err = lab.run("validate", "play.yml")
    assert "Windows Server 2012 (a, c) does not have checkpoint_type" in err
    assert "Windows Server 2012 R2 (b) does not have checkpoint_type" in err
    assert lab.run("validate", "play.yml", "--limit", "a,b,c")[0] == 1


@pytest.mark.parametrize("declared", [True, False])
def test_what_breaks_on_every_version_is_a_fault_of_the_playbook(lab: Lab, declared: bool) -> None:
    lab.given(
        CHECKPOINTS, declared=declared, play="- hosts: all\n  vms: [{name: a, processor: {reserve: 80, maximum: 70}}]\n"
    )
    status, _, err = lab.run("plan", "play.yml")
    assert status == 1
    assert err.startswith("play.yml:2:40: ")
    assert "old" not in err
    assert err.count("play.yml") == 1
    assert not any(host.log for host in lab.hosts.values())


def test_a_value_of_one_host_is_judged_by_that_host(lab: Lab) -> None:
    lab.given(PROCESSORS, play="- hosts: all\n  vms: [{name: a, processor: {count: '{{ n }}'}}]\n")
    (lab.folder / "host_vars").mkdir()
    for name, count in (("old", 200), ("new", 4)):
        (lab.folder / "host_vars" / f"{name}.yml").write_text(f"n: {count}\n", encoding="utf-8")
    status, _, err = lab.run("apply", "play.yml", "-y")
    assert (status, "Windows Server 2012 R2 (old) can have" in err) == (2, True), err
    assert lab.sent("new") == ("Set-VMProcessor",)


def test_a_saved_plan_holds_back_what_it_showed(lab: Lab) -> None:
    lab.given(CHECKPOINTS)
    assert lab.run("plan", "play.yml", "--out", "lab.json")[0] == 0
    status, _, err = lab.run("apply", "lab.json", "-y")
    assert (status, "warning: Windows Server 2012 R2 (old) does not have" in err) == (2, True), err
    assert lab.sent("mid") == ("Set-VM",)


def test_a_saved_plan_of_an_old_host_alone_is_applied(lab: Lab) -> None:
    lab.given(CHECKPOINTS, declared=False)
    assert lab.run("plan", "play.yml", "--limit", "old", "--out", "lab.json")[0] == 0
    lab.given(CHECKPOINTS)
    assert lab.run("apply", "lab.json", "-y")[0] == 2
    assert lab.sent("old") == ("Set-VM",)


def test_an_export_goes_on_where_it_can(lab: Lab) -> None:
    state: dict[str, Any] = {"volumes": {"C": {}, "E": {}}}
    lab.given(Fleet("", {"old": "2012r2", "new": "2022"}, state, {}, {}), play="- hosts: all\n")
    lab.hosts["new"] = SimulatedHost.from_yaml({**state, **CHECKPOINTS.state, "name": "new", "os": "2022"})
    words = ("export", "web01", "--to", r"E:\exports", "--capture", "data_consistent", "-y")
    status, out, err = lab.run(*words)
    assert (status, "Windows Server 2012 R2 (old) has no choice of what is captured" in err) == (0, True), out + err
    assert "Export-VM" in [call.cmdlet for call in lab.hosts["new"].log]
    assert "Export-VM" not in [call.cmdlet for call in lab.hosts["old"].log]
    assert lab.run(*words, "--limit", "old")[0] == 1


@pytest.mark.parametrize(
    ("os", "cmdlet", "parameter", "said"),
    [
        ("2012", "Set-VMHardDiskDrive", "MaximumIOPS", "it exists from Windows Server 2012 R2 on"),
        ("2012r2", "Set-VMHardDiskDrive", "QoSPolicyID", "it exists from Windows Server 2016 on"),
        ("2012", "Set-VMFirmware", "", "it exists from Windows Server 2012 R2 on"),
        ("2012r2", "Set-VMProcessor", "Perfmon", "it is documented from Windows Server 2019 on"),
        ("2022", "Set-VMHost", "NoSuchParameter", "remove it for this host"),
    ],
)
def test_where_something_exists_is_what_the_contract_says(os: Any, cmdlet: str, parameter: str, said: str) -> None:
    assert os in VERSIONS
    assert elsewhere(os, cmdlet, parameter) == said


def test_secure_boot_waits_for_the_template_that_the_guest_needs(lab: Lab) -> None:
    lab.given(SECURE_BOOT)
    _, out, _ = lab.run("plan", "play.yml")
    assert "secure_boot           off → on " in out
    assert "it goes with secure_boot_template, which is held back" in out
    assert "3 impossible" not in out


def test_what_the_version_lacks_is_told_once(lab: Lab) -> None:
    """Not also as something that the host did not say."""
    lab.given(NEWER)
    _, out, _ = lab.run("plan", "play.yml")
    assert "could not be read" not in out
    assert "does not list" not in out
    assert out.count("does not have protected_network") == 1


def test_warnings_are_counted(lab: Lab) -> None:
    lab.given(NEWER)
    assert "no error found offline, 2 warnings." in lab.run("validate", "play.yml")[1]
