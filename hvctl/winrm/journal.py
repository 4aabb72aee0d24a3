"""The journal that a host keeps of a batch of changes: what it tells of each step."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hvctl.call import Failure, Reply
from hvctl.winrm.answers import ENTRY, Entry, parsed


@dataclass(frozen=True)
class Journal:
    """Its lines in their order. `damaged`: there are lines that cannot be read, of which nothing is known."""

    entries: tuple[Entry, ...] = ()
    damaged: bool = False

    @classmethod
    def read(cls, lines: Sequence[str]) -> Journal:
        found = [parsed(ENTRY, line) for line in lines if line.strip()]
        entries = tuple(e for e in found if e is not None and (e.at in ("begin", "end") or e.step is not None))
        return cls(entries, len(entries) < len(found))

    def __bool__(self) -> bool:
        """Whether anything was written down at all."""
        return bool(self.entries) or self.damaged

    @property
    def over(self) -> bool:
        """Whether the batch came to its end, whatever became of its steps."""
        return any(e.at == "end" for e in self.entries)

    @property
    def running(self) -> str | None:
        """The step that was begun and has not ended."""
        ended = {e.step for e in self.entries if e.at == "after"}
        begun = [e.step for e in self.entries if e.at == "before" and e.step not in ended]
        return begun[-1] if begun else None

    def ended(self, known: Iterable[str]) -> dict[str, Reply]:
        """The steps whose end was written down."""
        wanted, found = set(known), {}
        for entry in self.entries:
            if entry.at == "after" and entry.step in wanted:
                failure = () if entry.ok else (Failure(entry.error or "Failed", message="see the host"),)
                found[entry.step] = Reply(failures=failure)
        return found

    def not_begun(self, known: Iterable[str]) -> dict[str, Reply]:
        """Steps that the host never came to, as it was stopped before. None where a line cannot be read: it may be
        the one that says that a step begins."""
        if self.damaged:
            return {}
        begun = {e.step for e in self.entries}
        return {step: Reply(skipped="not begun") for step in known if step not in begun}

    def brief(self) -> str:
        """For a person: how far it came."""
        ended = [e for e in self.entries if e.at == "after"]
        failed = [e.error or "Failed" for e in ended if not e.ok]
        said = [f"{len(ended) - len(failed)} step{'s' * (len(ended) - len(failed) != 1)} done"]
        if failed:
            said.append(f"{len(failed)} failed ({', '.join(failed)})")
        after = {e.step for e in ended}
        said += [
            f"{e.cmdlet} had begun and its end is not known"
            for e in self.entries
            if e.at == "before" and e.step not in after
        ]
        if self.damaged:
            said.append("lines of its journal cannot be read")
        return ", ".join(said)
