"""Work that grows with the hosts or the VMs, and not with their square: calls are counted at n and at twice as many."""

from __future__ import annotations

import pickle
import sys
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from hvctl.config.inventory import Inventory
from hvctl.config.offline import Desired, offline_problems
from hvctl.config.playbook import read_playbook, wishes
from hvctl.config.prepare import prepare
from hvctl.config.salvage import Made
from hvctl.core.check import Check, drifts
from hvctl.core.facts import Facts, merged
from hvctl.core.impact import IMPACTS
from hvctl.core.outcome import Briefs, Outcome
from hvctl.core.planner import make_plan
from hvctl.core.questions import questions
from hvctl.core.resource import Index
from hvctl.fleet.reconcile import look
from hvctl.fleet.showing import Showing
from hvctl.fleet.turns import Few
from hvctl.fleet.waiting import Waiting
from hvctl.monitor.news import NOTHING, news
from hvctl.redaction.redact import Redactor
from hvctl.show.metrics import registry
from hvctl.show.screen import Screen
from hvctl.winrm.leftovers import OpenShells
from mocks.bench import state_of, wishes_of
from mocks.host import SimulatedHost
from mocks.twin import TwinTransport

NOW = datetime(2026, 11, 27, tzinfo=UTC)
MOST = 2.4
"""Twice the work, and a little for what is sorted or kept once. The square would be four times."""


def calls(act: Callable[[], object]) -> int:
    """Of Python functions, turns of generators included."""
    counted = 0

    def count(frame: FrameType, event: str, arg: Any) -> None:
        nonlocal counted
        counted += event == "call"

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        act()
    finally:
        sys.setprofile(before)
    return counted


def assert_linear(made: Callable[[int], Callable[[], object]], few: int) -> None:
    """`made`: the work on so many, ready to be done."""
    made(few)()  # what is made once for all
    one, two = calls(made(few)), calls(made(2 * few))
    assert two < MOST * one, f"{one:,} calls for {few}, {two:,} for {2 * few}"


@cache
def seen(vms: int) -> tuple[Index, Facts]:
    """Of one host, a VM with drift in each fourth."""
    desired = wishes_of(vms)
    state = state_of(vms)
    for vm in state["vms"][::4]:
        vm["processor"]["count"] = 4
    return desired, look(TwinTransport(SimulatedHost.from_yaml(state)), desired)


def check_of(hosts: int) -> Check:
    desired, facts = seen(4)
    plans = [(f"hv{n:04}", make_plan(desired.of(f"hv{n:04}"), facts, frozenset(IMPACTS))) for n in range(hosts)]
    return Check("drift", ("lab.yml",), NOW, NOW, tuple(Outcome(host, plan) for host, plan in plans), 2)


def test_questions_are_merged_in_one_pass() -> None:
    def made(vms: int) -> Callable[[], object]:
        asked = tuple(questions(wishes_of(vms)))
        return lambda: merged(asked)

    assert_linear(made, 50)


def test_a_host_is_planned_in_time_that_grows_with_its_vms() -> None:
    def made(vms: int) -> Callable[[], object]:
        desired, facts = seen(vms)
        return lambda: make_plan(desired, facts, frozenset())

    assert_linear(made, 40)


def test_what_is_told_of_many_hosts_alike_is_in_memory_once() -> None:
    """Here they came from other processes, and share nothing."""
    before = pickle.loads(pickle.dumps(check_of(2).outcomes[:1])) + pickle.loads(pickle.dumps(check_of(2).outcomes[1:]))
    one, other = after = tuple(map(Briefs().of, before))
    assert [*drifts(one)] == [*drifts(before[0])] != []
    assert [found.plan for found in after] == [found.plan for found in before]
    assert one.plan is not None
    assert other.plan is not None
    for mine, theirs in zip(one.plan.actions, other.plan.actions, strict=True):
        assert (mine.address.host, theirs.address.host) == ("hv0000", "hv0001")
        assert mine.mark is theirs.mark
        assert mine.wanted is theirs.wanted
        assert mine.address.owners is theirs.address.owners


def test_what_is_new_is_found_in_one_pass() -> None:
    assert len(check_of(20).drifts) >= 20
    assert_linear(lambda hosts: partial(news, NOTHING, check_of(hosts)), 40)


def test_metrics_are_counted_in_one_pass() -> None:
    assert_linear(lambda hosts: partial(registry, check_of(hosts), {}), 40)


def test_what_is_the_same_on_hosts_is_found_in_one_pass() -> None:
    def told(hosts: int) -> Callable[[], object]:
        screen = Screen(quiet=True)
        return partial(Showing(screen, screen, Redactor(), 0).check, check_of(hosts))

    assert_linear(told, 25)


def test_open_shells_are_written_in_bytes_that_grow_with_them(tmp_path: Path) -> None:
    """All of them open at once, as where hosts are kept warm for an apply."""

    def written(hosts: int) -> int:
        folder = tmp_path / str(hosts)
        shells = OpenShells(folder)
        total = size = 0
        for n in range(hosts):
            shells.opened(f"https://hv{n:04}:5986/wsman", f"S{n:04}")
            (file,) = folder.glob("shells-*.json")
            now = file.stat().st_size
            # A file that has shrunk, or has grown by more than a line, was written as a whole.
            total, size = total + (now - size if 0 < now - size < 200 else now), now
        assert len(OpenShells(folder)._before) == hosts
        for n in range(hosts):
            shells.closed(f"https://hv{n:04}:5986/wsman", f"S{n:04}")
        assert not list(folder.glob("*.json"))
        return total

    for hosts in (200, 400, 800):
        assert written(hosts) < 200 * hosts  # the square would be 32 MB for 800


def test_hosts_take_turns_in_one_pass() -> None:
    """A few at a time of all of them, of each cluster one, and of one class no two."""

    def made(hosts: int) -> Callable[[], object]:
        names = [f"h{n}" for n in range(hosts)]
        clusters = [frozenset(names[n : n + 4]) for n in range(0, hosts, 4)]
        few = Few(
            ((3, frozenset(names)), *((1, one) for one in clusters)),
            {name: frozenset({f"c{n % 5}", f"own of {n // 2}"}) for n, name in enumerate(names)},
        )

        def work() -> None:
            waiting, running = Waiting([(name, int) for name in names], few), deque[str]()
            while waiting or running:
                while (job := waiting.take()) is not None:
                    running.append(job[0])
                waiting.ended(running.popleft())

        return work

    assert_linear(made, 200)


def test_a_simulated_host_looks_for_the_holder_of_a_disk_in_one_pass() -> None:
    """Over all VMs it is the square, and was the cube."""

    def made(vms: int) -> Callable[[], object]:
        host = SimulatedHost.from_yaml(state_of(vms))
        desired = wishes_of(vms)
        return lambda: look(TwinTransport(host), desired)

    made(20)()
    few, many = calls(made(100)), calls(made(200))
    assert many < 4.2 * few


class Name(str):
    """Of a host, that counts how often it is hashed: whoever hashes the hosts of a play hashes each of them."""

    hashed = 0

    def __hash__(self) -> int:
        Name.hashed += 1
        return str.__hash__(self)


@pytest.mark.parametrize("notes", ["the same", "of {{ n }}"])
def test_what_is_wanted_is_made_in_work_that_grows_with_the_hosts(notes: str, tmp_path: Path) -> None:
    file = tmp_path / "p.yml"
    vms = "".join(f"    - {{name: vm{n}, notes: '{notes}'}}\n" for n in range(4))
    file.write_text(f"- hosts: all\n  vms:\n{vms}", encoding="utf-8")
    (written,), _ = read_playbook(file)

    def made(hosts: int) -> Callable[[], object]:
        names = tuple(Name(f"hv{n:04}") for n in range(hosts))
        play, once = replace(written, members=names), Made()
        run = [(str(name), replace(play, variables={"n": name})) for name in names]
        return lambda: offline_problems(
            [Desired(name, "2022", wishes([own], {}, host=name, made=once)[0]) for name, own in run]
        )

    def hashes(hosts: int) -> int:
        work, before = made(hosts), Name.hashed
        work()
        return Name.hashed - before

    assert_linear(made, 20)
    assert hashes(40) <= MOST * hashes(20)


def test_plays_of_many_clusters_and_replicas_are_prepared_in_one_pass(tmp_path: Path) -> None:
    """Servers that replications name are in no play of their own."""

    def made(clusters: int) -> Callable[[], object]:
        groups, plays = [], []
        for n in range(clusters):
            nodes = ", ".join(f"n{n}_{k}: {{}}" for k in range(2))
            groups += [f"    cl{n}: {{vars: {{hvctl_cluster: cl{n}}}, hosts: {{{nodes}}}}}"]
            groups += [f"    site{n}: {{hosts: {{a{n}: {{}}, b{n}: {{}}}}}}"]
            plays += [f"- hosts: cl{n}\n  cluster: {{vms: [{{name: vm{n}}}]}}"]
            plays += [f"- hosts: a{n}\n  vms: [{{name: r{n}, replication: {{server: b{n}}}}}]"]
        inventory, playbook = tmp_path / f"{clusters}.yml", tmp_path / f"p{clusters}.yml"
        inventory.write_text("all:\n  vars: {ansible_user: u}\n  children:\n" + "\n".join(groups), encoding="utf-8")
        playbook.write_text("\n".join(plays), encoding="utf-8")
        loaded = Inventory.load(inventory)
        return lambda: prepare(loaded, [str(playbook)], learn=lambda secret: None)

    assert_linear(made, 60)
