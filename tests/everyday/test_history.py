"""`hvctl history` narrowed to VMs, kinds and what is open; and the zones of its times."""

from __future__ import annotations

import json
import re

from tests.everyday.test_accept import Lab, lab  # noqa: F401

PLAYBOOK = """
- hosts: all
  switches:
    - {name: lan, type: private}
  vms:
    - {name: web01, notes: kept, processor: {weight: 200}}
    - {name: web02, generation: 2, memory: {startup: 1GB}}
"""


def told(out: str) -> list[str]:
    return re.findall(r"^  ([a-z].*)$", out, re.MULTILINE)


def test_it_is_narrowed_to_vms_and_kinds(lab: Lab) -> None:  # noqa: F811
    lab.run("drift", "lab.yml", playbook=PLAYBOOK, status=2)
    assert told(lab.run("history")) == ["switch lan", "vm web01", "processor web01", "vm web02"]
    assert told(lab.run("history", "--vm", "WEB01")) == ["vm web01", "processor web01"]
    assert told(lab.run("history", "--vm", "web*", "--kind", "vm,switch")) == ["vm web01", "vm web02"]
    assert told(lab.run("history", "--kind", "switch", "hv01")) == ["switch lan"]
    lab.run("history", "--kind", "swich", status=1)
    assert "--kind 'swich': there is no such kind; did you mean 'switch'?" in lab.err
    differences = json.loads(lab.run("history", "--vm", "web01", "--json"))["hosts"][0]["differences"]
    assert {d["vm"] for d in differences} == {"web01"}


def test_open_leaves_out_what_is_over(lab: Lab) -> None:  # noqa: F811
    lab.run("drift", "lab.yml", playbook=PLAYBOOK, status=2)
    lab.host.invoke("Set-VM", {"Name": "web01", "Notes": "kept"})
    lab.run("drift", "lab.yml", days=1, status=2)
    assert "gone after 1 d" in lab.run("history", "--vm", "web01")
    out = lab.run("history", "--vm", "web01", "--open")
    assert "notes" not in out and "weight" in out
    assert "1 host: 1 open, 0 gone" in out


def test_hosts_without_a_difference_are_counted_and_not_listed(lab: Lab) -> None:  # noqa: F811
    lab.run("drift", "lab.yml", playbook="- hosts: all\n  vms:\n    - {name: web01}\n", status=0)
    out = lab.run("history")
    assert out.startswith("1 host, nothing to tell: 0 open, 0 gone, since ") and out.endswith("times are UTC.\n")
    assert "nothing differed" in lab.run("history", "--all")


def test_times_are_in_the_zone_of_the_host_where_it_told_it(lab: Lab) -> None:  # noqa: F811
    playbook = """
- hosts: all
  vms:
    - {name: web01, notes: kept, exports: [{path: 'E:\\exports', every: 24h, window: '01:00-05:00'}]}
"""
    lab.host.state.time_zone = 540
    lab.run("drift", "lab.yml", "--report", "html=r.html,markdown=r.md", playbook=playbook)
    lab.run("drift", "lab.yml", "--report", "html=r.html,markdown=r.md", days=1)
    out = lab.run("history")
    assert "last 2026-03-02 21:00 UTC+09:00" in out
    assert "seen 2026-03-01 21:00 to 2026-03-02 21:00" in out
    assert out.endswith("times are UTC, or in the zone that is told with the host.\n")
    for file in ("r.html", "r.md"):
        assert "since 2026-03-01 21:00 UTC+09:00" in (lab.folder / file).read_text(encoding="utf-8")
    assert json.loads(lab.run("history", "--json"))["hosts"][0]["utc_offset_minutes"] == 540
