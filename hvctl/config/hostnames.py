"""Names of hosts as an inventory writes them: an address, a port after it, ranges `hv[01:12]` within it."""

from __future__ import annotations

import ipaddress
import re
import string
from collections.abc import Iterator
from dataclasses import dataclass

from hvctl.text.limits import HOSTS, LimitError
from hvctl.text.number import whole

_BRACKETED = re.compile(r"\[(.+)\]:([0-9]{1,9})")
_WITH_PORT = re.compile(r"((?:\[[^\]]*\]|[^:\[\]])*):([0-9]{1,9})")
_LABEL = re.compile(r"\w(?:[\w-]*[^\W_])?")
_RANGE_IN_NAME = re.compile(r"\[(?:[A-Za-z]:[A-Za-z]|[0-9]+:[0-9]+)(?::[0-9]+)?\]")
_RANGE_IN_IPV6 = re.compile(r"\[[0-9A-Fa-f]+:[0-9A-Fa-f]+(?::[0-9]+)?\]")
_RANGE = re.compile(r"\[([^\[\]]*)\]")
_DIGITS = re.compile("[0-9]+")


class PatternError(ValueError):
    """Not a pattern, or not a range; says why."""


@dataclass(frozen=True)
class Address:
    """A host's name, which may hold ranges, and its port if one was written."""

    name: str
    port: int | None = None


def address(text: str) -> Address | None:
    """`host`, `host:5986`, `[fd00::2]:5986`, `hv[01:12]`; None for what is not an address."""
    port = None
    for form in (_BRACKETED, _WITH_PORT):
        if found := form.fullmatch(text):
            text, port = found[1], whole(found[2])
    return Address(text, port) if _is_name(text) or _is_ipv6(text) else None


def is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_name(text: str) -> bool:
    return all(_LABEL.fullmatch(label) for label in _RANGE_IN_NAME.sub("0", text).split("."))


def _is_ipv6(text: str) -> bool:
    """A range stands for a whole part of it."""
    parts = _RANGE_IN_IPV6.sub("[", text).split(":")
    if "%" in text or any("[" in part and part != "[" for part in parts):
        return False
    try:
        ipaddress.IPv6Address(":".join(parts).replace("[", "0"))
    except ValueError:
        return False
    return True


def named(text: str) -> tuple[list[str], int | None]:
    """The hosts that an entry of an inventory stands for, and their port. Raises PatternError."""
    found = address(text)
    return expand(found.name if found else text), found.port if found else None


def expand(name: str) -> list[str]:
    """`hv[01:12].lab` → its names, leading zeros kept. Raises PatternError."""
    names, at = [""], 0
    for found in _RANGE.finditer(name):
        middles = list(_range(found[1]))
        if len(names) * len(middles) > HOSTS.most:
            raise _too_many(name)
        between = name[at : found.start()]
        names = [head + between + middle for head in names for middle in middles]
        at = found.end()
    if "[" in name[at:]:
        raise PatternError(f"{name}: a bracket is not closed; write a range as [01:12]")
    return [head + name[at:] for head in names]


def _range(text: str) -> Iterator[str]:
    bounds = text.split(":")
    first, last, step = bounds[0] or "0", bounds[1] if len(bounds) > 1 else "", bounds[2] if len(bounds) > 2 else "1"
    letters = all(len(b) == 1 and b in string.ascii_letters for b in (first, last))
    digits = _DIGITS.fullmatch(first) and _DIGITS.fullmatch(last)
    if len(bounds) > 3 or not (digits or letters) or not _DIGITS.fullmatch(step):
        raise PatternError(f"[{text}] is not a valid range; write [01:12], [a:f] or [0:10:2]")
    try:
        by = whole(step)
        begin, end = (string.ascii_letters.index(b) if letters else whole(b) for b in (first, last))
    except LimitError as error:
        raise _too_many(f"[{text}]") from error
    if by < 1:
        raise PatternError(f"[{text}] is not a valid range; its step is at least 1")
    if begin > end:
        raise PatternError(f"[{text}] ends before it begins; swap the two values")
    if (end - begin) // by >= HOSTS.most:
        raise _too_many(f"[{text}]")
    if letters:
        yield from string.ascii_letters[begin : end + 1 : by]
        return
    padded = len(first) > 1 and first.startswith("0")
    if padded and len(first) != len(last):
        raise PatternError(f"[{text}]: both ends of a range with leading zeros are of one length; write [01:12]")
    yield from (str(n).zfill(len(first) if padded else 0) for n in range(begin, end + 1, by))


def _too_many(text: str) -> PatternError:
    return PatternError(f"{text[:60]} stands for more hosts than hvctl takes ({HOSTS}); divide it")
