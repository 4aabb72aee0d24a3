"""How many hosts at a time, where nobody has said it: more while hosts are waited for, none while there is work enough."""

from __future__ import annotations

import threading
import time

from hvctl.fleet.forks import Room, SideBySide


class Machine:
    """A clock, and the CPU that was used by then."""

    def __init__(self) -> None:
        self.now = self.used = 0.0

    def passes(self, seconds: float, busy: float) -> None:
        self.now += seconds
        self.used += seconds * busy

    def room(self, most: int) -> Room:
        return Room(most, lambda: self.used, lambda: self.now)


def test_while_hosts_are_waited_for_there_are_more_of_them() -> None:
    machine = Machine()
    room, forks = machine.room(64), [16]
    for _ in range(6):
        machine.passes(1.1, busy=0.2)
        forks.append(room.after(forks[-1]))
    assert forks == [16, 32, 64, 64, 64, 64, 64]


def test_while_one_core_is_busy_there_are_no_more() -> None:
    machine = Machine()
    room = machine.room(64)
    machine.passes(5, busy=0.95)
    assert room.after(16) == 16
    machine.passes(0.5, busy=0.0)
    assert room.after(16) == 16, "too short to be told"
    machine.passes(5, busy=0.1)
    assert room.after(16) == 32, "what was before does not count"


def test_what_the_user_said_is_never_exceeded() -> None:
    machine = Machine()
    room = machine.room(16)
    machine.passes(60, busy=0.0)
    assert room.after(16) == 16


def most_at_once(most: int) -> int:
    lock, now, highest = threading.Lock(), 0, 0

    def look() -> None:
        nonlocal now, highest
        with lock:
            now += 1
            highest = max(highest, now)
        time.sleep(0.4)
        with lock:
            now -= 1

    hosts = SideBySide([(f"hv{n}", look) for n in range(20)], 2, most=most, cpu=lambda: 0.0)
    assert len(list(hosts)) == 20
    return highest


def test_hosts_that_only_take_time_are_looked_at_side_by_side() -> None:
    assert most_at_once(0) == 2
    assert 3 <= most_at_once(6) <= 6
