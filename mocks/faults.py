"""What goes wrong, as data: one trouble, when it strikes, and the record of every one that did (winrm 6)."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

Effect = Literal[
    # the connection
    "reset", "fin", "hang", "backlog", "close", "mid_reset", "mid_fin", "delay", "ramp", "drip",
    # the answer
    "http", "fault", "garbage", "empty", "cut", "fault_200", "content_type", "undecryptable",
    # its header
    "relates_to", "lower_case", "prefixes", "activity_id", "no_shell",
    # what is sent to a process
    "twice", "undelivered", "truncated", "end_lost",
    # what is received of it
    "split", "streams", "stderr", "done_apart", "no_exit_code", "no_ends", "replay", "gap", "nothing", "flood",
    "noise", "bom", "clixml", "clixml_twice", "warning", "cp932", "plain_line", "line_twice", "lines_swapped", "garbled",
    # answers that no WinRM gives
    "redirect", "endless_body", "endless_chunks", "endless_mark", "endless_header", "endless_headers",
    "endless_continue", "drip_head", "gzip_bomb", "xml_entities", "xml_external", "xml_deep", "xml_wide", "xml_many",
    "endless_line",
    # the machine
    "die", "lose_shells", "service_restart", "reboot", "vmms_restart", "outsider",
]  # fmt: skip
Phase = Literal["before", "after"]
Encoding = Literal["wsman", "wmi", "both"]

SHAPES: frozenset[Effect] = frozenset(
    {"split", "streams", "stderr", "done_apart", "no_exit_code", "no_ends", "replay", "gap", "nothing", "flood",
     "noise", "bom", "clixml", "clixml_twice", "warning", "cp932", "plain_line", "line_twice", "lines_swapped", "garbled",
     "endless_line"}
)  # fmt: skip
"""How what a process wrote reaches the client."""


@dataclass(frozen=True)
class Trouble:
    """Something that goes wrong.

    `action`: Create, Command, Send, Receive, Signal, Delete; "*": any of these; "connect" a connection that was
    accepted; "handshake" of TLS; "read" the first byte of a request; "headers" when those were read; "invoke" a cmdlet
    that changes something, "invoke Stop-VM" that one. `nth`: which one of these, counted from 1, and `times` in a row;
    or `chance`: how probable at each, at most `times` in all. `phase`: before or after it had its effect. `code`: of
    HTTP, WS-Man or the process; `seconds`, `amount` (bytes) and `text` as the effect takes them."""

    action: str
    effect: Effect
    nth: int = 1
    times: int = 1
    phase: Phase = "before"
    code: int = 0
    encoding: Encoding = "wsman"
    chance: float = 0.0
    seconds: float = 0.0
    amount: int = 0
    text: str = ""
    name: str = ""


@dataclass(frozen=True)
class Injected:
    """One trouble that struck: at which request, and what was done."""

    action: str
    phase: Phase
    message_id: str
    did: str
    name: str = ""

    def __str__(self) -> str:
        return f"{self.name or self.did}: {self.did} {self.phase} {self.action} {self.message_id}".rstrip()


class Injector:
    """Decides what strikes. `watch` is told of every moment at which something could: action, phase, and which one of
    these; a moment named so comes again in the next run of the same."""

    def __init__(self, troubles: Sequence[Trouble], seed: int = 0) -> None:
        self.troubles = list(troubles)
        self.events: list[Injected] = []
        self.watch: Callable[[str, str, int], None] | None = None
        self._random = random.Random(seed)
        self._seen: dict[str, int] = {}
        self._struck: dict[int, int] = {}
        self._lock = threading.Lock()

    def strike(self, action: str, phase: Phase = "before", message_id: str = "", also: str = "") -> list[Trouble]:
        """What goes wrong now. `also`: another name of the action."""
        with self._lock:
            names = (action, also) if also else (action,)
            if phase == "before":
                for name in names:
                    self._seen[name] = self._seen.get(name, 0) + 1
            found = [
                t for n, t in enumerate(self.troubles) if t.action in names and t.phase == phase and self._due(n, t)
            ]
            self.events += [Injected(action, phase, message_id, _did(t), t.name) for t in found]
        if self.watch is not None:
            self.watch(action, phase, self.count(action))
        return found

    def count(self, action: str) -> int:
        return self._seen.get(action, 0)

    def _due(self, number: int, trouble: Trouble) -> bool:
        if trouble.chance:
            due = self._struck.get(number, 0) < trouble.times and self._random.random() < trouble.chance
        else:
            due = trouble.nth <= self._seen.get(trouble.action, 0) < trouble.nth + trouble.times
        self._struck[number] = self._struck.get(number, 0) + due
        return due


def _did(trouble: Trouble) -> str:
    told = [str(x) for x in (trouble.code, trouble.seconds, trouble.amount, trouble.text) if x]
    return " ".join([trouble.effect, *told])[:200]
