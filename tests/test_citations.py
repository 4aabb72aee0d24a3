"""What a comment cites stands in docs/reference/, where its reader can open it."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
REFERENCE = ROOT / "docs" / "reference"
CITING = ("hvctl", "mocks", "tests", "scripts", "docs", "playbooks")
TEXT = (".py", ".md", ".yaml", ".yml", ".ps1", ".psm1", ".ini", ".sh")
_CITED = re.compile(r"\b(domain|winrm|cluster|replica-migration|operations|networking)(?:\.md)? (\d+(?:\.\d+)?)\b")
_FURTHER = re.compile(r"\s*(?:,|and|;)\s*(\d+(?:\.\d+)?)\b")
"""`domain 8.3, 9.1` cites two sections."""


@cache
def sections(document: str) -> frozenset[str]:
    text = (REFERENCE / f"{document}.md").read_text(encoding="utf-8")
    return frozenset(re.findall(r"^#+ (\d+(?:\.\d+)?)\.? ", text, re.MULTILINE))


def citations(text: str) -> list[tuple[str, str]]:
    found = []
    for match in _CITED.finditer(text):
        found.append((match[1], match[2]))
        at = match.end()
        while more := _FURTHER.match(text, at):
            found.append((match[1], more[1]))
            at = more.end()
    return found


def nowhere(text: str) -> list[str]:
    return [f"{document} {section}" for document, section in citations(text) if section not in sections(document)]


def sources() -> list[Path]:
    files = (f for room in CITING for f in sorted((ROOT / room).rglob("*")) if f.suffix in TEXT)
    return [f for f in files if f.is_file() and f != Path(__file__)]


def test_citations_lead_to_a_section() -> None:
    wrong = {str(f.relative_to(ROOT)): found for f in sources() if (found := nowhere(f.read_text(encoding="utf-8")))}
    assert wrong == {}


def test_there_are_citations_to_check() -> None:
    assert sum(len(citations(f.read_text(encoding="utf-8"))) for f in sources()) > 300


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("Off only (domain 8.3)", []),
        ("Off only (domain 8.9)", ["domain 8.9"]),
        ("(winrm 3.2, 99)", ["winrm 99"]),
        ("winrm.md 7.4; 7.99", ["winrm 7.99"]),
        ("the domain 2", []),
    ],
)
def test_a_citation_of_nothing_is_found(text: str, wrong: list[str]) -> None:
    assert nowhere(text) == wrong
