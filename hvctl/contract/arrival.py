"""In which versions of Windows Server a cmdlet or a parameter exists, as text for people."""

from __future__ import annotations

from hvctl.contract.facts import Answer
from hvctl.contract.reading import contract
from hvctl.contract.versions import OS, VERSIONS, title


def exists_from(os: OS) -> str:
    """What helps where something is newer than the host."""
    return f"it exists from {title(os)} on"


def elsewhere(os: OS, cmdlet: str, parameter: str = "") -> str:
    """The versions that have what this one lacks, by the contract; what else helps if none is known to have it."""
    answers = {other: _answer(other, cmdlet, parameter) for other in VERSIONS}
    later = VERSIONS[VERSIONS.index(os) + 1 :]
    if first := next((v for v in later if answers[v] == "present"), None):
        unsure = any(answers[v] == "unknown" for v in later[: later.index(first)])
        return f"it is documented from {title(first)} on" if unsure else exists_from(first)
    if last := next((v for v in reversed(VERSIONS) if answers[v] == "present"), None):
        return f"it exists up to {title(last)}"
    return "remove it for this host"


def _answer(os: OS, cmdlet: str, parameter: str) -> Answer:
    found = contract(os).cmdlet(cmdlet)
    if found is None or not parameter:
        return contract(os).knows(cmdlet)
    return found.answer(parameter)
