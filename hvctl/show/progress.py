"""What hosts are doing while they do it: a live table on a terminal, plain lines in a pipe."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from hvctl.call import Event
from hvctl.language import said
from hvctl.text.duration import lasted

BAR = 20
FEW = 20
"""So many hosts are counted by the eye."""
SETTLED_S = 5.0
"""Nothing is foretold from less."""


class Progress:
    """Follows the events of many hosts. Use as a context; `follow(host)` gives the function to call."""

    def __init__(
        self,
        console: Console,
        texts: dict[str, dict[str, str]] | None = None,
        verbose: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._console = console
        self._texts = texts or {}
        self._verbose = verbose
        self._now: dict[str, str] = {}
        self._since: dict[str, float] = {}
        self._clock = clock
        self._jobs: dict[tuple[str, str], tuple[float, int]] = {}
        self._told: dict[str, int] = {}
        self._quarters: dict[tuple[str, str], int] = {}
        self._expected: set[str] = set()
        self._ended: set[str] = set()
        self._last: dict[str, str] = {}
        """By host, what was said of it last."""
        self._lock = threading.Lock()
        self._live = Live(console=console, transient=True, refresh_per_second=4, get_renderable=self._table)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._console.is_terminal:
            self._live.__exit__(kind, error, trace)

    def expect(self, hosts: Iterable[str]) -> None:
        """Of how many it is told how many have ended."""
        with self._lock:
            self._expected.update(hosts)

    def begin(self, host: str, doing: str) -> None:
        with self._lock:
            self._ended.discard(host)
            self._now[host] = doing
            self._since[host] = self._clock()
            self._told.pop(host, None)

    def end(self, host: str) -> None:
        with self._lock:
            self._now.pop(host, None)
            self._ended.add(host)

    def event(self, host: str, event: Event) -> None:
        text = self._text(host, event.task)
        with self._lock:
            left = self._left(host, event) if event.kind == "progress" else ""
            if event.kind == "start" and text:
                self._now[host] = text
            elif event.kind == "progress" and text:
                self._now[host] = (
                    f"{text} {event.text}" if event.percent is None else f"{text}  {_bar(event.percent)}{left}"
                )
            elif event.kind == "upload":
                self._now[host] = _upload(event, bar=True)
            elif event.kind == "note":
                self._now[host] = said(event.text)
        if event.kind == "notice":
            self._say(f"{host}: {said(event.text)}")
        elif not self._console.is_terminal:
            self._line(host, event, text, left)

    def _text(self, host: str, task: str) -> str:
        """What a step does, and which of how many it is."""
        texts = self._texts.get(host, {})
        if task not in texts:
            return ""
        return f"{said(f'step {list(texts).index(task) + 1} of {len(texts)}')}: {said(texts[task])}"

    def _left(self, host: str, event: Event) -> str:
        """How long a job still takes, if it goes on as it went since it was first heard of; a copy, by its rate."""
        now, percent = self._clock(), event.percent
        if percent is None:
            return ""
        if event.total:
            left = timedelta(seconds=(event.total - event.done) / event.rate) if event.rate > 0 else None
            return f" of {_bytes(event.total)}" + (f", {lasted(left)} left" if left is not None else "")
        began, first = self._jobs.setdefault((host, event.task), (now, percent))
        if percent <= first or percent >= 100 or now - began < SETTLED_S:
            return ""
        seconds = (now - began) * (100 - percent) / (percent - first)
        return said(f", {lasted(timedelta(seconds=seconds))} left")

    def _line(self, host: str, event: Event, text: str, left: str) -> None:
        if event.kind == "progress" and text and event.percent is not None and event.text:
            line = f"{host}: {text}: {said(event.text)}"
            if self._last.get(host) != line:  # PowerShell says each percent of it
                self._last[host] = line
                self._say(line)
        elif event.kind == "progress" and text and event.percent is not None and self._tells(host, event):
            self._say(f"{host}: {text}: {event.percent} %{left}")
        elif event.kind == "start" and text:
            self._say(f"{host}: {text}")
        elif event.kind == "upload" and (tenth := _tenth(event)) > self._told.get(host, -1):
            self._told[host] = tenth
            self._say(f"{host}: {_upload(event, bar=False)}")
        elif event.kind == "note":
            self._say(f"{host}: {said(event.text)}")

    def _tells(self, host: str, event: Event) -> bool:
        """A job is heard of at each percent; a copy now and then."""
        percent = event.percent or 0
        if not event.total:
            return percent % 25 == 0
        quarter, before = percent // 25, self._quarters.get((host, event.task), 0)
        self._quarters[host, event.task] = quarter
        return quarter > before

    def _say(self, line: str) -> None:
        self._console.print(Text(line), highlight=False, soft_wrap=True)

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 2))
        with self._lock:
            if len(self._expected) > FEW:
                # First, since the last lines of a long table are cut off.
                ended = len(self._ended & self._expected)
                table.add_row(Text(said(f"{ended:,} of {len(self._expected):,} hosts"), "bold"))
            for host, doing in self._now.items():
                elapsed = self._clock() - self._since.get(host, self._clock())
                table.add_row(Text(host, "cyan"), Text(doing), Text(f"{elapsed:.0f} s", "dim"))
        return table


def _bar(percent: int) -> str:
    full = min(BAR, percent * BAR // 100)
    return f"{'━' * full}{'─' * (BAR - full)} {percent} %"


def _tenth(event: Event) -> int:
    return 10 * event.done // event.total if event.total else 10


def _upload(event: Event, *, bar: bool) -> str:
    """Bytes, rate and time left of the files on their way to the host."""
    percent = 100 * event.done // event.total if event.total else 100
    text = said(f"sending {event.text}: {_bar(percent) if bar else f'{percent} %'} of {_bytes(event.total)}")
    if event.done >= event.total or event.rate <= 0:
        return text
    left = timedelta(seconds=(event.total - event.done) / event.rate)
    return f"{text}, {_bytes(event.rate)}/s{said(f', {lasted(left)} left')}"


def _bytes(size: float) -> str:
    for unit in ("bytes", "KB", "MB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GB"
