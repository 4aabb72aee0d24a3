"""Talking to a runner line by line, and its frames without what differs from run to run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from hvctl.winrm import protocol
from mocks.engine import Engine
from mocks.twin import Twin

Frame = dict[str, Any]
LAST = ("hello", "end", "refused", "fatal")


def frames_of(data: bytes) -> list[Frame]:
    marked = [line for line in data.split(b"\n") if line.startswith(b"@hv1 ")]
    return [json.loads(line.split(b" ", 2)[2]) for line in marked]


def twin_talk(twin: Twin) -> Callable[[bytes], bytes]:
    return lambda line: b"".join(twin.feed(line))


def engine_talk(engine: Engine) -> Callable[[bytes], bytes]:
    """Sends a line and reads up to the frame that ends its answer."""

    def talk(line: bytes) -> bytes:
        engine.send(line)
        data = b""
        for chunk in engine.read():
            data += chunk
            if data.endswith(b"\n") and (frames := frames_of(data)) and frames[-1]["t"] in LAST:
                break
        return data

    return talk


def loaded(talk: Callable[[bytes], bytes], allow: Mapping[str, str]) -> Callable[[bytes], bytes]:
    assert frames_of(talk(protocol.source_line(allow)))[0]["t"] == "hello"
    return talk


def steady(frames: list[Frame]) -> list[Frame]:
    """Numbers checked and dropped, times dropped, rows of one step in one frame."""
    assert [f["n"] for f in frames] == list(range(1, len(frames) + 1))
    return list(_merged({k: v for k, v in frame.items() if k not in ("n", "ms")} for frame in frames))


def _merged(frames: Iterator[Frame]) -> Iterator[Frame]:
    held: Frame | None = None
    for frame in frames:
        if held and frame["t"] == held["t"] == "rows" and frame["step"] == held["step"]:
            held["rows"] += frame["rows"]
            continue
        if held:
            yield held
        held = frame
    if held:
        yield held
