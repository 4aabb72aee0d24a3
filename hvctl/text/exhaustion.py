"""What this machine itself has run out of: files, ports, threads, memory; looked for in whatever the libraries made of it."""

from __future__ import annotations

import errno
import os
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Exhaustion:
    """`what`: as a sentence's subject; `hint`: what to do. `opening`: it struck when something was opened, so that
    nothing had been sent."""

    what: str
    hint: str
    opening: bool


FEWER = "use a lower --forks, or end what uses them"


def exhaustion(error: BaseException) -> Exhaustion | None:
    """The first cause, however deep it is wrapped: an SSLError around a file of CAs that could not be opened is no
    trouble of TLS."""
    for one in _causes(error):
        if isinstance(one, MemoryError):
            return Exhaustion("this machine has no memory left", FEWER, opening=False)
        if isinstance(one, RuntimeError) and "can't start new thread" in str(one):
            hint = f"raise the limit of processes (ulimit -u) or of memory, {FEWER}"
            return Exhaustion("this machine starts no more threads", hint, opening=False)
        # The resolver of names says no more than "try again" where it could not open a file or a socket.
        number = _opening() if isinstance(one, socket.gaierror) else getattr(one, "errno", None)
        if isinstance(one, OSError) and number is not None and (found := _of_number(number)) is not None:
            return found
    return None


def _opening() -> int | None:
    """The number of the fault that opening a file gives now."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        return error.errno
    return None


def _of_number(number: int) -> Exhaustion | None:
    match number:
        case errno.EMFILE:
            limit = _limit()
            now = f", now {limit}" if limit else ""
            hint = f"raise the limit (ulimit -n{now}), or use a lower --forks"
            return Exhaustion("this hvctl may open no more files", hint, opening=True)
        case errno.ENFILE:
            hint = f"raise the system's limit (fs.file-max), {FEWER}"
            return Exhaustion("this machine opens no more files", hint, opening=True)
        case errno.EADDRNOTAVAIL:
            hint = (
                f"{FEWER}; those of ended connections come back after a minute or two. Where it is so from the start, this "
                "machine has no address of that kind (IPv6?)"
            )
            return Exhaustion("this machine has no local port or address for it", hint, opening=True)
        case errno.ENOMEM | errno.ENOBUFS:
            return Exhaustion("this machine has no memory left", FEWER, opening=False)
    return None


def _limit() -> int:
    if sys.platform == "win32":
        return 0
    import resource  # noqa: PLC0415 - Windows has none

    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def _causes(error: BaseException) -> Iterator[BaseException]:
    """It and all that it was made of: causes, contexts, arguments and urllib3's reasons."""
    todo, seen = [error], set[int]()
    while todo:
        one = todo.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        inner = (one.__cause__, one.__context__, getattr(one, "reason", None), *one.args)
        todo += [i for i in inner if isinstance(i, BaseException)]
