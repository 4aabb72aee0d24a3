"""What a host answered, written down."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from hvctl.call import to_json
from hvctl.core.facts import Facts
from hvctl.text.diagnostic import ConfigError, Diagnostic
from hvctl.text.files import PRIVATE, write_whole
from hvctl.text.visible import json_text

FORMAT = 1
_ADDRESS = re.compile(r"\b(?:\d{1,3}\.){3}\d{1,3}\b|\b(?:[0-9a-f]{1,4}:){3,7}[0-9a-f]{0,4}\b", re.IGNORECASE)


def write_recording(file: str, facts: Facts, *, scrub: bool, also: Sequence[str] = ()) -> None:
    """Secrets cannot be in it: answers are projected facts. With `scrub`, host names (and `also`) become "HOST"
    and addresses "192.0.2.1"."""
    names = {n for n in (facts.info.computer, facts.info.user, *also) if n}
    data = {
        "hvctl_recording": FORMAT,
        "info": asdict(facts.info),
        "answers": [{"call": to_json(c), "reply": asdict(r)} for c, r in facts.replies.items()],
    }
    if scrub:
        data = _scrubbed(data, _scrubber(names))
    try:
        write_whole(file, json_text(data, indent=1) + "\n", PRIVATE)
    except OSError as error:
        raise ConfigError(
            [Diagnostic(None, f"{file} cannot be written: {error.strerror}", "name another file")]
        ) from error


def _scrubber(names: set[str]) -> Callable[[str], str]:
    words = sorted({w for n in names for w in (n, n.split(".")[0], n.rsplit("\\", 1)[-1]) if len(w) > 2}, key=len)
    pattern = re.compile("|".join(re.escape(w) for w in reversed(words)) or r"(?!)", re.IGNORECASE)
    return lambda text: _ADDRESS.sub("192.0.2.1", pattern.sub("HOST", text))


def _scrubbed(value: Any, scrub: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, dict):
        return {k: _scrubbed(v, scrub) for k, v in value.items()}
    return [_scrubbed(v, scrub) for v in value] if isinstance(value, list | tuple) else value
