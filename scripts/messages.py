"""Sentences that stand in the source of hvctl, as message ids of a catalogue: {} for each place of an f-string."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent / "hvctl"
_WORDS = re.compile(r"[A-Za-z]{2}")


@dataclass(frozen=True)
class Message:
    """`idle`: places that only inflect a word, such as a plural; a translation may leave them out."""

    file: str
    line: int
    msgid: str
    idle: frozenset[int] = frozenset()

    @property
    def sentence(self) -> bool:
        """It says something, in more than one word."""
        bare = self.msgid.replace("{}", " ").strip()
        return " " in bare and bool(_WORDS.search(bare))


@cache
def extracted() -> tuple[Message, ...]:
    """All of the package and of the template of its reports."""
    found = [m for file in sorted(ROOT.rglob("*.py")) for m in messages_of(file)]
    template = ROOT / "show/templates/check.html.j2"
    calls = re.findall(r"_\(((?:\"[^\"]*\"|[^()\"])*)\)", template.read_text(encoding="utf-8"))
    texts = [text for call in calls for text in re.findall('"([^"]+)"', call)]
    return (*found, *(Message("show/templates/check.html.j2", 0, text) for text in texts))


def messages_of(file: Path) -> Iterator[Message]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    name = file.relative_to(ROOT).as_posix()
    inner: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            inner.add(id(node.value))  # a docstring
        if id(node) in inner or not isinstance(node, ast.Constant | ast.JoinedStr | ast.BinOp):
            continue
        parts = list(_parts(node))
        if not any(isinstance(part, str) for part in parts):
            continue
        inner |= {id(n) for n in _within(node)}
        places = [part for part in parts if not isinstance(part, str)]
        text = "".join(part.replace("{", "{{").replace("}", "}}") if isinstance(part, str) else "{}" for part in parts)
        yield Message(name, node.lineno, text, frozenset(n for n, p in enumerate(places) if _idle(p)))


def _within(node: ast.expr) -> Iterator[ast.expr]:
    """The pieces that one text is put together of; what stands in a place is a text of its own."""
    match node:
        case ast.JoinedStr(values=pieces):
            pass
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            pieces = [left, right]
        case _:
            return
    for piece in pieces:
        yield piece
        yield from _within(piece)


def _parts(node: ast.expr) -> Iterator[str | ast.expr]:
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr(values=values):
            for value in values:
                yield from _parts(value.value if isinstance(value, ast.FormattedValue) else value)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            for side in (left, right):
                yield from _parts(side)
        case _:
            yield node


def _idle(node: ast.expr) -> bool:
    """`"s" * (n > 1)`, or a choice of one word or another."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        return any(isinstance(side, ast.Constant) for side in (node.left, node.right))
    return isinstance(node, ast.IfExp) and all(isinstance(s, ast.Constant) for s in (node.body, node.orelse))
