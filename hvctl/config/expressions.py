"""Regular expressions for hosts, as Ansible takes them (`~regex`): Python's, in bounded time."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from functools import lru_cache

from hvctl.config.hostnames import PatternError

SECONDS = 3.0
"""Of a process for what may try very many ways to fit; a name takes microseconds otherwise."""
_REPEATS = re.compile(r"[*+?{]")
_REPEATED_GROUP = re.compile(r"\)[*+{]")
_FEW = 2
"""Repetitions in a row that are tried at most some 255² / 2 ways, by the length of a host's name."""
_MATCH = (
    "import json, re, sys; pattern, names = json.load(sys.stdin); match = re.compile(pattern).match; "
    "print(json.dumps([n for n, name in enumerate(names) if match(name)]))"
)


@lru_cache(64)
def matched(pattern: str, names: tuple[str, ...]) -> frozenset[str]:
    """The names that begin with what a pattern fits. Raises PatternError."""
    try:
        match = re.compile(pattern).match
    except (re.error, RecursionError, OverflowError) as error:
        raise PatternError(f"~{pattern} is not a valid regular expression: {error}") from error
    if len(_REPEATS.findall(pattern)) <= _FEW and not _REPEATED_GROUP.search(pattern):
        return frozenset(name for name in names if match(name))
    return frozenset(names[n] for n in _elsewhere(pattern, names))


def _elsewhere(pattern: str, names: Sequence[str]) -> list[int]:
    """In a process of its own, which can be ended: Python's engine cannot be stopped."""
    try:
        run = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _MATCH],
            input=json.dumps([pattern, names]).encode(),
            capture_output=True,
            timeout=SECONDS,
            check=True,
        )
        found: list[int] = json.loads(run.stdout)
    except subprocess.TimeoutExpired as error:
        text = f"~{pattern} takes longer than {SECONDS:.0f} s for these hosts: it repeats what repeats, as (a+)+ does"
        raise PatternError(f"{text}; write it without, or with a name or glob as hv*") from error
    except (subprocess.SubprocessError, OSError, ValueError) as error:
        raise PatternError(f"~{pattern} cannot be tried: {type(error).__name__}") from error
    return found
