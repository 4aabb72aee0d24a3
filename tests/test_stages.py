"""One round tells everything that is wrong, in all files, as far as it does not rest on what is wrong."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from hvctl.call import Transport
from hvctl.cli import main
from hvctl.config.inventory import Connection
from hvctl.fleet.connect import Wire

Told = Callable[..., list[str]]
INVENTORY = dedent("""
    lab:
      hosts: {hv01: {hvctl_os: 2022}}
      vars: {ansible_user: admin, ansible_password: !env HVCTL_TEST_PASSWORD}
    """).lstrip()


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Told]:
    """What a verb prints to stderr, a problem in each line; no host is contacted, and the status is 1."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "400")
    monkeypatch.setenv("HVCTL_TEST_PASSWORD", "s3cret-in-tests")
    contacted: list[str] = []

    def connect(connection: Connection, wire: Wire) -> Transport:
        contacted.append(connection.name)
        raise AssertionError("a host is contacted")

    def run(files: dict[str, str], *words: str, verb: str = "plan", status: int = 1) -> list[str]:
        for name, text in {"inventory.yml": INVENTORY, **files}.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text, encoding="utf-8")
        found = main([verb, "play.yml", *words], connect)
        _, err = capsys.readouterr()
        assert (found, contacted) == (status, []), err
        assert "Traceback" not in err
        return err.splitlines()

    yield run


def places(lines: list[str]) -> list[str]:
    return [found[0] for line in lines if (found := re.match(r"[^ ]+:\d+:\d+(?=: )", line))]


def test_mistakes_of_four_kinds(told: Told) -> None:
    """A duplicate key, unknown keys, words that are no values, a VM that stands twice."""
    lines = told(
        {
            "play.yml": dedent(r"""
                - name: Lab
                  hosts: lab
                  vms:
                    - name: web01
                      generation: 2
                      procesor: {count: 4}
                      memory: {startup: 2GB, dynamic: {minimum: 1GB, maximum: 8 gigs}}
                      disks:
                        - {at: scsi 0:0, path: 'D:\VMs\web01\os.vhdx', size: 60GB, szie: 80GB}
                      network_adapters:
                        - name: lan
                          switch: lan
                          switch: dmz
                    - name: WEB01
                      processor: {count: four}
                """).lstrip()
        }
    )
    assert [line.partition(" ")[2].partition(";")[0] for line in lines] == [
        "unknown key 'procesor' in vm",
        "maximum: '8 gigs' is no size",
        "unknown key 'szie' in disk",
        "the key 'switch' stands here again",
        "vm WEB01 is wanted twice",
        "count is a whole number, not 'four'",
    ]
    assert places(lines) == [f"play.yml:{p}" for p in ("6:7", "7:63", "9:68", "13:11", "14:7", "15:26")]
    assert "did you mean 'processor'?" in lines[0]


def test_values_out_of_range_and_rules_between_them(told: Told) -> None:
    lines = told(
        {
            "play.yml": dedent(r"""
                - name: Limits
                  hosts: lab
                  vms:
                    - name: web01
                      generation: 2
                      processor: {count: 2, reserve: 80, maximum: 70, weight: 0}
                      memory: {startup: 4001MB}
                      disks:
                        - {at: scsi 0:64, path: 'D:\VMs\web01\a.vhdx', size: 10GB}
                        - {at: scsi 0:1, path: 'D:\VMs\web01\b.vhdx', size: 1000000000}
                        - {at: scsi 0:2, path: 'D:\VMs\web01\c.vhdx', size: 10GB, iops: {minimum: 900, maximum: 300}}
                        - {at: scsi 4:0, path: 'relative\d.vhdx', size: 10GB}
                      network_adapters:
                        - {name: lan, switch: lan, vlan: {access: 4095}, bandwidth: {weight: 101}}
                """).lstrip()
        },
        verb="validate",
    )
    found = [p.removeprefix("play.yml:") for p in places(lines)]
    assert found == ["6:38", "6:63", "7:25", "9:16", "10:61", "11:83", "12:16", "12:32", "14:51", "14:78"], lines


def test_a_file_that_is_no_yaml_does_not_hide_another(told: Told) -> None:
    lines = told(
        {
            "play.yml": "- name: Lab\n  hosts: lab\n\tvms: []\n",
            "group_vars/lab.yml": "mem: 4GB\nmem: 8GB\n",
        }
    )
    assert places(lines) == ["group_vars/lab.yml:2:1", "play.yml:3:1"]
    assert "it stands at group_vars/lab.yml:1:1 already" in lines[0]
    assert "a tab stands where YAML wants spaces" in lines[1]


def test_an_octal_number_is_told_as_that(told: Told) -> None:
    text = "- hosts: lab\n  vms: [{name: a, network_adapters: [{name: b, vlan: {access: 010}}]}]\n"
    assert told({"play.yml": text}) == [
        "play.yml:2:63: access is a whole number, not '010'; write 10 (or 8, which is what YAML makes of it)"
    ]


SECRET = dedent("""
    lab:
      hosts: {hv01: {ansible_host: 192.0.2.11}}
      vars:
        ansible_user: svc@example.test
        ansible_password: !env HVCTL_TEST_MISSING
        mem: 8GB
    """).lstrip()
VARIABLES = dedent("""
    - hosts: lab
      vars: {cpus: 4}
      vms:
        - name: web01
          processor: {count: '{{ cpus }}'}
          memory: {startup: '{{ memm }}'}
          notes: '{{ owner | default("nobody") }}'
    """).lstrip()


def test_a_secret_that_is_missing_is_told_with_the_rest(told: Told) -> None:
    lines = told({"inventory.yml": SECRET, "play.yml": VARIABLES})
    assert places(lines) == ["inventory.yml:5:23", "play.yml:6:25"]
    assert "the environment variable HVCTL_TEST_MISSING is not set" in lines[0]
    assert "'memm' is undefined; did you mean 'mem'?" in lines[1]
    alone = told({"inventory.yml": SECRET, "play.yml": VARIABLES.replace("memm", "mem")})
    assert places(alone) == ["inventory.yml:5:23"]


def test_validate_needs_no_secret(told: Told) -> None:
    assert places(told({"inventory.yml": SECRET, "play.yml": VARIABLES}, verb="validate")) == ["play.yml:6:25"]
    right = {"inventory.yml": SECRET, "play.yml": VARIABLES.replace("memm", "mem")}
    assert told(right, verb="validate", status=0) == []


def test_a_value_does_not_hide_what_the_rules_say_of_other_resources(told: Told) -> None:
    lines = told(
        {
            "play.yml": dedent(r"""
                - hosts: lab
                  vms:
                    - name: one
                      generation: 1
                      disks:
                        - {at: ide 0:0, path: 'D:\VMs\one\os.vhdx', size: 3TB}
                        - {at: ide 0:1, path: 'D:\VMs\one\a.vhd', size: 2041GB}
                        - {at: scsi 0:0, path: 'D:\VMs\one\b.vhd', size: 2040GB}
                    - name: two
                      generation: 2
                      disks:
                        - {at: scsi 0:0, path: 'D:\VMs\two\os.vhdx', size: 3TB}
                        - {at: scsi 0:1, path: 'D:\VMs\two\a.vhdx', size: 64TB}
                        - {at: scsi 0:2, path: 'D:\VMs\two\b.vhdx', size: 65TB}
                """).lstrip()
        },
        verb="validate",
    )
    assert places(lines) == [f"play.yml:{p}" for p in ("6:59", "7:57", "14:59")]
    assert "warning: generation 1 boots from at most 2 TB" in lines[0]


PLANTED = {
    "inventory.yml": dedent("""
        lab:
          hosts:
            hv01: {hvctl_os: 2022}
            hv02: {hvctl_os: 2012r2, ansible_port: 99999}
          vars: {ansible_user: a, ansible_password: !env HVCTL_TEST_MISSING, size: 4GB, size: 8GB}
          hostss: {}
        """).lstrip(),
    "group_vars/all.yml": "owner: a\nowner: b\n",
    "host_vars/hv01.yml": "token: !lookup x\n",
    "more.yml": "- not a mapping\n",
    "broken.yml": "a: [1\n",
    "second.yml": "- hosts: lab\n  vms: [{name: z, notes: 'a', notes: 'b', processor: {reserve: 80, maximum: 70}}]\n",
    "third.yml": "- hosts: lab\n  vms:\n\t- name: a\n",
    "play.yml": dedent(r"""
        - hosts: lab
          vars_files: [more.yml, broken.yml]
          allow: [restrat]
          virtual_machines: []
          vms:
            - name: web01
              generation: 2
              snapshots: []
              bios: {num_lock: on}
              processor: {count: four, reserve: 90, maximum: 10}
              memory: {startup: 2GB, dynamic: {minimum: 4GB, maximum: 8GB}}
              disks:
                - {at: scsi 9:9, path: 'D:\a.vhdx', iops: {minimum: 9, maximum: 3}}
                - {at: scsi 0:1, path: 'D:\b.vhdx', szie: 1GB}
                - {at: scsi 0:2, path: 'D:\b.vhdx'}
            - name: WEB01
              state: runing
            - {generation: 2, bios: {num_lock: off}}
          switches:
            - {name: lan, type: internal, net_adapters: [NIC]}
            - {name: lan}
        - hosts: nowhere
          vms: [{name: alone, generation: 7}]
        - vms: [{name: hostless, processor: {count: 0}}]
        """).lstrip(),
}
FOUND = [
    ("group_vars/all.yml:2:1", "'owner' stands here again"),
    ("host_vars/hv01.yml:1:8", "unknown tag !lookup"),
    ("inventory.yml:4:44", "99999"),
    ("inventory.yml:5:45", "HVCTL_TEST_MISSING is not set"),
    ("inventory.yml:5:81", "'size' stands here again"),
    ("inventory.yml:6:3", "unknown key 'hostss'"),
    ("broken.yml:2:1", "YAML cannot read this"),
    ("play.yml:2:16", "more.yml is no mapping of variables"),
    ("play.yml:3:10", "'restrat' is nothing that can be allowed"),
    ("play.yml:4:3", "unknown key 'virtual_machines' in a play; did you mean 'vms'?"),
    ("play.yml:8:7", "unknown key 'snapshots' in vm; did you mean 'checkpoints'?"),
    ("play.yml:9:13", "a generation 2 VM has no BIOS"),
    ("play.yml:10:26", "count is a whole number"),
    ("play.yml:10:41", "a reserve of 90"),
    ("play.yml:11:49", "the minimum of 4 GB is above"),
    ("play.yml:13:16", "there is no SCSI controller 9"),
    ("play.yml:13:61", "a minimum of 9 is above the maximum of 3"),
    ("play.yml:14:45", "unknown key 'szie' in disk"),
    ("play.yml:15:32", "is wanted at play.yml:14:32 too"),
    ("play.yml:16:7", "vm WEB01 is wanted twice"),
    ("play.yml:17:14", "'runing'"),
    ("play.yml:18:7", "vm needs 'name'"),
    ("play.yml:18:29", "a generation 2 VM has no BIOS"),
    ("play.yml:20:49", "has no adapters of the host"),
    ("play.yml:21:7", "switch lan is wanted twice"),
    ("play.yml:22:10", "'nowhere' names no host or group"),
    ("play.yml:23:35", "7 is too large"),
    ("play.yml:24:3", "hosts is a pattern"),
    ("play.yml:24:45", "0 is too small"),
    ("second.yml:2:31", "'notes' stands here again"),
    ("second.yml:2:64", "a reserve of 80"),
    ("third.yml:3:1", "a tab stands where YAML wants spaces"),
]


def test_all_faults_of_all_files_in_one_round(told: Told) -> None:
    lines = told(PLANTED, "second.yml", "third.yml")
    missing = [f for f in FOUND if not any(line.startswith(f[0]) and f[1] in line for line in lines)]
    assert not missing, "\n".join(lines)
    more = [line for line in lines if not any(line.startswith(p) and w in line for p, w in FOUND)]
    assert not more, "\n".join(more)
    located = [(f, int(n), int(c)) for f, n, c in (p.rsplit(":", 2) for p in places(lines))]
    assert located == sorted(located)


PLAY = "- hosts: lab\n  vms: [{name: '{{ prefix }}01', processor: {count: 0, weight: '{{ weight }}'}, notes: '{{ nobody }}'}]\n"


def test_of_an_inventory_that_is_no_yaml_nothing_is_said_to_be_missing(told: Told) -> None:
    """Neither its hosts nor its variables; what is wrong whatever they are is told."""
    lines = told({"inventory.yml": "lab:\n\thosts: {hv01: }\n", "play.yml": PLAY}, "--limit", "hv01")
    assert places(lines) == ["inventory.yml:2:1", "play.yml:2:53"], lines


def test_of_variables_that_cannot_be_read_none_is_said_to_be_missing(told: Told) -> None:
    files = {"host_vars/hv01.yml": "weight: [1\n", "play.yml": PLAY}
    assert places(told(files)) == ["host_vars/hv01.yml:2:1", "play.yml:2:53"]


def test_of_variables_that_stand_twice_the_others_are_known(told: Told) -> None:
    files = {"host_vars/hv01.yml": "prefix: a\nprefix: b\nweight: 0\n", "play.yml": PLAY}
    lines = told(files)
    assert places(lines) == [
        f"{p}" for p in ("host_vars/hv01.yml:2:1", "play.yml:2:53", "play.yml:2:64", "play.yml:2:88")
    ]
    assert "weight: 0 is too small" in lines[2]
    assert "'nobody' is undefined" in lines[3]


def test_an_undefined_name_hides_only_what_rests_on_it(told: Told) -> None:
    text = dedent(r"""
        - hosts: lab
          vms:
            - name: '{{ nobody }}'
              generation: 2
              bios: {}
              disks: [{at: '{{ nobody }}', path: 'D:\a.vhdx', iops: {minimum: 2, maximum: 1}}]
            - {name: b, generation: '{{ nobody }}', bios: {}, disks: [{at: scsi 0:0, path: 'D:\A.vhdx'}]}
        """).lstrip()
    lines = told({"play.yml": text})
    assert [line.partition(";")[0] for line in lines] == [
        "play.yml:3:13: 'nobody' is undefined",
        "play.yml:5:13: a generation 2 VM has no BIOS",
        "play.yml:6:20: 'nobody' is undefined",
        "play.yml:6:71: a minimum of 2 is above the maximum of 1",
        "play.yml:7:29: 'nobody' is undefined",
        "play.yml:7:84: D:\\A.vhdx is wanted at play.yml:6:42 too",
    ]


def test_an_inventory_as_ini_goes_on_behind_a_line_that_cannot_be_read(told: Told) -> None:
    ini = "[lab]\nhv01 hvctl_os=2022 ansible_user=a ansible_port=99999\nhv02 'x\n[lab:vars]\nnonsense\n"
    lines = told({"inventory.yml": ini, "play.yml": PLAY})
    assert places(lines) == ["inventory.yml:2:1", "inventory.yml:3:1", "inventory.yml:5:1", "play.yml:2:53"], lines
    assert "99999" in lines[0]


def test_the_command_line_and_files_that_are_not_there(told: Told) -> None:
    inventory = INVENTORY.replace("vars:", "varrs: {}\n  vars:")
    lines = told({"inventory.yml": inventory, "play.yml": PLAY}, "none.yml", "-e", "nonsense", "-e", "weight=1")
    assert any("none.yml is not there" in line for line in lines), lines
    assert any("--extra-vars, 1. is no variable" in line for line in lines), lines
    assert places(lines) == ["inventory.yml:3:3", "play.yml:2:53"], lines


def test_what_one_host_lacks_is_told_with_the_faults_of_all(told: Told) -> None:
    inventory = INVENTORY.replace("}}", "}, hv02: {hvctl_os: 2012}}", 1)
    text = "- hosts: lab\n  vms: [{name: a, lock_on_disconnect: on, processor: {count: 0}}]\n"
    lines = told({"inventory.yml": inventory, "play.yml": text})
    assert "play.yml:2:39: warning: Windows Server 2012 (hv02) does not have lock_on_disconnect" in lines[0]
    assert places(lines) == ["play.yml:2:39", "play.yml:2:62"]
