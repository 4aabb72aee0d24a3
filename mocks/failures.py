"""A cmdlet that fails on demand: which one, which of its calls, and with which error."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

import yaml

from mocks.command import CATEGORIES, TABLE, Command
from mocks.messages import TEXTS
from mocks.objects import PsObject, Refusal

ALWAYS = 10**9

NAMED = tuple(name for name, (english, _) in TEXTS.items() if "." in english and not name.endswith("_1x"))
"""The texts that say what went wrong; others are names of things."""

KINDS = {
    "sharing": "OperationFailed", "in_use": "ObjectInUse", "file_missing": "ObjectNotFound", "path_missing": "ObjectNotFound",
    "object_gone": "ObjectNotFound", "vm_missing": "ObjectNotFound", "no_permission": "AccessDenied",
    "prompt": "InvalidOperation",
    "bad_state": "InvalidState", "vm_bad_state": "InvalidState", "object_bad_state": "InvalidState", "no_memory": "OutOfMemory",
    "bad_parameter": "InvalidParameter", "resize_unsupported": "NotSupported",
}  # fmt: skip
"""How the ids of errors begin that have a name; others with OperationFailed (domain 1.5, 22)."""


@dataclass(frozen=True)
class Failure:
    """`nth`: which call of the cmdlet fails, counted from 1 on each host, and `times` in a row; or `chance`: how probable
    at each, at most `times` in all. `of`: only calls that have this text in a parameter. `phase`: before the call has its
    effect, or after. `seconds`: how long it takes until it fails. `error`: the name of a text of mocks/messages.py, or the text
    itself; `hresult`: is added to it, as Hyper-V does; `id`: how the FullyQualifiedErrorId begins, or the whole of it."""

    cmdlet: str
    nth: int = 1
    times: int = 1
    chance: float = 0.0
    of: str = ""
    phase: Literal["before", "after"] = "before"
    seconds: float = 0.0
    error: str = "bad_state"
    id: str = ""
    category: str = ""
    hresult: int = 0

    @property
    def kind(self) -> str:
        return self.id.partition(",")[0] or KINDS.get(self.error, "OperationFailed")

    def refusal(self, cmd: Command) -> Refusal:
        """As the cmdlet would say it on this host."""
        about = cmd.state.name if self.error in _OF_THE_HOST else _subject(cmd)
        text = cmd.say(self.error, about, "", "") if self.error in TEXTS else self.error
        code = f"(0x{self.hresult & 0xFFFFFFFF:08X})"
        if self.hresult and code.lower() not in text.lower():
            text = f"{text.strip()} {code}"
        hyper_v = TABLE[self.cmdlet.lower()].module == "hyper-v"
        category = self.category or CATEGORIES.get(self.kind, "NotSpecified")
        if hyper_v and self.kind in CATEGORIES:
            refusal = cmd.refuse_text(self.kind, text, category=self.category)
        else:
            refusal = cmd.fail(self.kind, category, text, "System.Exception")
        return refusal if "," not in self.id else _with_id(refusal, self.id)


_OF_THE_HOST = ("object_gone", "no_permission", "not_in_domain")


def _subject(cmd: Command) -> str:
    """What the call is about, by name."""
    for name in ("VMName", "VM", "Name", "Path", "LiteralPath", *cmd.args):
        for value in cmd.args.many(name):
            if isinstance(value, PsObject):
                return str(value.properties.get("VMName") or value.properties.get("Name") or "")
            if isinstance(value, str):
                return value
    return ""


def _with_id(refusal: Refusal, whole: str) -> Refusal:
    record = refusal.record
    return Refusal(type(record)(whole, record.category, record.message, record.exceptions, record.target))


def is_cmdlet(name: str) -> bool:
    return name.lower() in TABLE


def failure(text: str) -> Failure:
    """From CMDLET or CMDLET:key=value,…; a value may have commas in it. Raises ValueError."""
    name, _, given = text.partition(":")
    if not is_cmdlet(name):
        raise ValueError(f"the simulated host has no cmdlet {name!r}")
    known = {f.name: f for f in fields(Failure) if f.name != "cmdlet"}
    found: dict[str, Any] = {}
    for item in filter(None, re.split(rf",(?=(?:{'|'.join(known)})=)", given)):
        key, _, value = item.partition("=")
        if key not in known:
            raise ValueError(f"a failing cmdlet has no {key!r}; it takes {', '.join(known)}")
        found[key] = _value(str(known[key].type), key, value)
    return Failure(TABLE[name.lower()].name, **found)


def _value(kind: str, key: str, text: str) -> Any:
    if kind == "str":
        return text
    if key == "times" and text == "always":
        return ALWAYS
    if key == "phase":
        if text not in ("before", "after"):
            raise ValueError(f"phase: {text!r} is not before or after")
        return text
    value = yaml.safe_load(text)  # 0x80070020 is a number
    if isinstance(value, bool) or not isinstance(value, int | float) or (kind == "int" and not isinstance(value, int)):
        raise ValueError(f"{key}: {text!r} is not a number")
    if value < (least := 1 if key in ("nth", "times") else 0):
        raise ValueError(f"{key}: {text} is below {least}")
    return value


class Failures:
    """What is to fail on one host, how often each was asked for, and what did."""

    def __init__(self) -> None:
        self._armed: list[Failure] = []
        self._seen: list[int] = []
        self._struck: list[int] = []
        self.events: list[str] = []
        self.random = random.Random(0)

    def add(self, *failures: Failure) -> None:
        for one in failures:
            self._armed.append(one)
            self._seen.append(0)
            self._struck.append(0)

    @property
    def over(self) -> bool:
        """Whether nothing fails any more."""
        return all(struck >= one.times for one, struck in zip(self._armed, self._struck, strict=True))

    def due(self, cmdlet: str, params: Mapping[str, Any]) -> Failure | None:
        """Whether this call fails. Each counts the calls that it is about."""
        due: Failure | None = None
        for number, one in enumerate(self._armed):
            if one.cmdlet != cmdlet or (one.of and not any(one.of.lower() in text.lower() for text in _texts(params))):
                continue
            self._seen[number] += 1
            if one.chance:
                strikes = self._struck[number] < one.times and self.random.random() < one.chance
            else:
                strikes = one.nth <= self._seen[number] < one.nth + one.times
            if strikes and due is None:
                self._struck[number] += 1
                self.events.append(f"{cmdlet}: call {self._seen[number]} fails {one.phase} its effect")
                due = one
        return due


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping | list):
        for inner in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(inner)
    else:
        yield str(value)
