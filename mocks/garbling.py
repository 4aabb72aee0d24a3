"""Answers that nobody should give: seeded changes to the frames of a stream, to rows, and to the bytes between."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from random import Random
from typing import Any

from hvctl.winrm.protocol import NO_BATCH

_FRAME = re.compile(rb"@hv1 (\S+) (\{.*\})\s*")
_MARK = "@raw "
"""Begins a text that stands for JSON that json.dumps would not write."""

_RAW = {
    "deep": "[" * 3000 + "]" * 3000,
    "deeper": '{"a":' * 900 + "1" + "}" * 900,
    "long": "9" * 5000,
    "nan": "NaN",
    "infinity": "-Infinity",
    "endless": "1e999",
    "half": '"\\ud800"',
    "other half": '"a\\udfffb"',
}

ODD: tuple[Any, ...] = (
    None, True, False, -1, 0, 1, 10**30, -(10**30), 2**63, 1.5, 1e308, "", "x", "None", "-1", "1e9", "\0", "\x1b[2J",
    "\u202e", "x" * 70_000, [], [[]], [None], [1, "a", {}], ["a"] * 500, {}, {"": {}}, {"t": "end", "n": 1},
    *(_MARK + name for name in _RAW),
)  # fmt: skip
"""Values where others are expected."""

_BYTES = (
    b"", b"\xff\xfe", b"\x00", b"@hv1", b"@hv1 - {}", b"@hv1 - []", b"@hv1 - {", b"@hv1 x {\"n\":1}", b"\r", b"\x1b[2J",
    b"<Objs Version=\"1.1.0.1\">", b"@hv1 - " + b"[" * 2000, "警告".encode("cp932"), b"x" * 100_000,
)  # fmt: skip


def garbled(stream: bytes, chance: Random) -> bytes:
    """The stream with one to four things wrong with it."""
    lines = stream.split(b"\n")
    for _ in range(chance.randint(1, 4)):
        lines = chance.choice(_WAYS)(lines, chance)
    return b"\n".join(lines)


# --- frames -----------------------------------------------------------------------------------------------------


def _changed(lines: list[bytes], chance: Random) -> list[bytes]:
    """One value, key or item somewhere within one frame."""
    places = [n for n, line in enumerate(lines) if _FRAME.fullmatch(line)]
    if not places:
        return lines
    place = chance.choice(places)
    found = _FRAME.fullmatch(lines[place])
    assert found is not None
    try:
        frame = json.loads(found[2])
    except (ValueError, RecursionError):
        return lines
    _spoil(frame, chance)
    return [*lines[:place], b"@hv1 %s %s" % (found[1], _written(frame)), *lines[place + 1 :]]


def _spoil(data: Any, chance: Random) -> None:
    """One place, the deeper the likelier."""
    keys: list[Any] = list(data) if isinstance(data, dict) else list(range(len(data)))
    if not keys:
        return
    key = chance.choice(keys)
    inner = data[key]
    if isinstance(inner, dict | list) and inner and chance.random() < 0.7:
        _spoil(inner, chance)
        return
    match chance.randrange(4):
        case 0:
            del data[key]
        case 1 if isinstance(data, dict):
            data[str(chance.choice(ODD))[:40]] = data.pop(key)
        case _:
            data[key] = chance.choice(ODD)


def _written(frame: Any) -> bytes:
    text = json.dumps(frame)
    for name, raw in _RAW.items():
        text = text.replace(json.dumps(_MARK + name), raw)
    return text.encode("ascii")


def _other_owner(lines: list[bytes], chance: Random) -> list[bytes]:
    owner = chance.choice((NO_BATCH.encode(), b"other-batch", b"\xff", b"-" * 70))
    return _at(lines, chance, lambda line: [re.sub(rb"(?<=@hv1 )\S+", owner, line)])


def _renumbered(lines: list[bytes], chance: Random) -> list[bytes]:
    number = str(chance.choice((0, -1, 1, 2, 3, 10**30, "true", '"1"', "null", "1.0"))).encode()
    return _at(lines, chance, lambda line: [re.sub(rb'"n": ?\d+', b'"n":' + number, line)])


def _cut(lines: list[bytes], chance: Random) -> list[bytes]:
    return _at(lines, chance, lambda line: [line[: chance.randint(0, len(line))]])


def _flipped(lines: list[bytes], chance: Random) -> list[bytes]:
    def flip(line: bytes) -> list[bytes]:
        if not line:
            return [line]
        at = chance.randrange(len(line))
        return [line[:at] + bytes([chance.randrange(256)]) + line[at + 1 :]]

    return _at(lines, chance, flip)


def _shuffled(lines: list[bytes], chance: Random) -> list[bytes]:
    start = chance.randrange(len(lines) + 1)
    piece = lines[start : start + chance.randint(1, 5)]
    chance.shuffle(piece)
    return [*lines[:start], *piece, *lines[start + len(piece) :]]


def _at(lines: list[bytes], chance: Random, change: Callable[[bytes], list[bytes]]) -> list[bytes]:
    if not lines:
        return lines
    place = chance.randrange(len(lines))
    return [*lines[:place], *change(lines[place]), *lines[place + 1 :]]


_WAYS: Sequence[Callable[[list[bytes], Random], list[bytes]]] = (
    *[_changed] * 6,
    _other_owner,
    _renumbered,
    _cut,
    _flipped,
    _shuffled,
    lambda lines, chance: _at(lines, chance, lambda line: [line, line]),
    lambda lines, chance: _at(lines, chance, lambda line: []),
    lambda lines, chance: _at(lines, chance, lambda line: [line, chance.choice(_BYTES)]),
)


# --- rows -------------------------------------------------------------------------------------------------------


def misread(row: dict[str, Any], name: str, chance: Random) -> dict[str, Any]:
    """The row with one of its properties dropped, or answered with what the cmdlet does not return."""
    if chance.random() < 0.2:
        return {key: value for key, value in row.items() if key != name}
    return {**row, name: chance.choice(tuple(_unlike(row[name])))}


def otherwise(value: Any) -> Any:
    """A value as it might well be, and is not."""
    match value:
        case bool():
            return not value
        case int():
            return value + 2 * 1024 * 1024
        case str():
            return value + "x"
    return None


def _unlike(value: Any) -> Iterable[Any]:
    """Odd values that JSON can hold and that are of another type."""
    for odd in ODD:
        raw = isinstance(odd, str) and odd.startswith(_MARK)
        if not raw and type(odd) is not type(value):
            yield odd
