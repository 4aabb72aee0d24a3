"""Simulated hosts for a benchmark, in a process of their own, whose CPU is not the control node's."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def elsewhere(serve: Callable[..., None], *given: Any) -> Iterator[tuple[Any, Callable[[], Any]]]:
    """Where the hosts are served, and what says its figures so far. `serve` is given a pipe first: it sends where, then
    figures as often as it is asked for them, until it receives "end"."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs, *given), daemon=True)
    process.start()
    where = ours.recv()

    def counted() -> Any:
        ours.send("count")
        return ours.recv()

    try:
        yield where, counted
    finally:
        ours.send("end")
        process.join(5)
