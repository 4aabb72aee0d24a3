"""The journal that a host keeps of a batch of changes: what it tells of each step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hvctl.call import Failure, Reply

Entries = Sequence[Mapping[str, Any]]
"""One before and one after each step: at, step, cmdlet (before), ok and error (after). "begin" and "end" frame all."""


def over(entries: Entries) -> bool:
    """Whether the batch came to its end, whatever became of its steps."""
    return any(e.get("at") == "end" for e in entries)


def running(entries: Entries) -> str | None:
    """The step that was begun and has not ended."""
    ended = {e.get("step") for e in entries if e.get("at") == "after"}
    begun = [str(e["step"]) for e in entries if e.get("at") == "before" and e.get("step") not in ended]
    return begun[-1] if begun else None


def journalled(entries: Entries, known: Iterable[str]) -> dict[str, Reply]:
    """Of the steps whose end was written down."""
    wanted, found = set(known), {}
    for entry in entries:
        if entry.get("at") == "after" and entry.get("step") in wanted:
            failure = () if entry.get("ok") else (Failure(str(entry.get("error") or "Failed"), message="see the host"),)
            found[str(entry["step"])] = Reply(failures=failure)
    return found


def not_begun(entries: Entries, known: Iterable[str]) -> dict[str, Reply]:
    """Steps that the host never came to, as it was stopped before."""
    begun = {str(e.get("step")) for e in entries}
    return {step: Reply(skipped="not begun") for step in known if step not in begun}


def brief(entries: Entries) -> str:
    """For a person: how far it came."""
    ended = [e for e in entries if e.get("at") == "after"]
    failed = [str(e.get("error")) for e in ended if not e.get("ok")]
    said = [f"{len(ended) - len(failed)} step{'s' * (len(ended) - len(failed) != 1)} done"]
    if failed:
        said.append(f"{len(failed)} failed ({', '.join(failed)})")
    after = {e.get("step") for e in ended}
    said += [
        f"{e.get('cmdlet')} had begun and its end is not known"
        for e in entries
        if e.get("at") == "before" and e.get("step") not in after
    ]
    return ", ".join(said)
