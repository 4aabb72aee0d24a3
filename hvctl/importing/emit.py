"""Plain data as YAML, as a person writes it: short things on one line, comments above what they are about."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from hvctl.config.template import is_template
from hvctl.language import said as translated
from hvctl.text.scalars import tag_of
from hvctl.text.source import Path


class Expression(str):
    """A text whose braces mean something."""

    __slots__ = ()


Comments = Mapping[Path, Sequence[str]]
_WIDTH = 112
_PLAIN = re.compile(r"[^\W_](?:[\w.()/+@-]|[ :](?=[\w(])|:(?=\d))*")
"""What needs no quotes, whatever stands around it."""
_TEXT = "tag:yaml.org,2002:str"


def emitted(value: Any, comments: Comments, path: Path = (), indent: int = 0) -> Iterator[str]:
    """The lines of a mapping or a list."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _entry(f"{' ' * indent}{scalar(key)}:", inner, comments, (*path, key), indent)
    else:
        for n, inner in enumerate(value):
            yield from _item(inner, comments, (*path, n), indent)


def _entry(head: str, value: Any, comments: Comments, path: Path, indent: int) -> Iterator[str]:
    yield from said(comments.get(path, ()), indent)
    if isinstance(value, str) and _is_block(value):
        yield f"{head} |-"
        yield from (f"{' ' * (indent + 2)}{line}".rstrip() for line in value.split("\n"))
    elif _fits(head, value, comments, path):
        yield f"{head} {flow(value)}"
    else:
        yield head
        yield from emitted(value, comments, path, indent + 2)


def _item(value: Any, comments: Comments, path: Path, indent: int) -> Iterator[str]:
    yield from said(comments.get(path, ()), indent)
    head = f"{' ' * indent}-"
    if not isinstance(value, Mapping) or _fits(head, value, comments, path):
        yield f"{head} {flow(value)}"
        return
    lines = list(emitted(value, comments, path, indent + 2))
    first = next(n for n, line in enumerate(lines) if not line.lstrip().startswith("#"))
    yield from (line[2:] for line in lines[:first])
    yield f"{head}{lines[first][indent + 1 :]}"
    yield from lines[first + 1 :]


def said(texts: Sequence[str], indent: int) -> Iterator[str]:
    """Comments, in the reader's language: nothing of a host's text can end one."""
    for text in map(translated, texts):
        yield f"{' ' * indent}# {''.join(c if c.isprintable() else '?' for c in text)}".rstrip()


def _fits(head: str, value: Any, comments: Comments, path: Path) -> bool:
    if not isinstance(value, Mapping | list) or not value:
        return True
    if any(at[: len(path)] == path and at != path for at in comments) or _nested(value):
        return False
    return len(head) + 1 + len(flow(value)) <= _WIDTH


def _nested(value: Any) -> bool:
    """Mappings in a list, or texts of several lines, are hard to read on one line."""
    if isinstance(value, list):
        return any(isinstance(v, Mapping | list) or _nested(v) for v in value)
    if isinstance(value, Mapping):
        return any(_nested(v) for v in value.values())
    return isinstance(value, str) and _is_block(value)


def flow(value: Any) -> str:
    """On one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{scalar(key)}: {flow(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    return scalar(value)


def scalar(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        return str(value)
    text = verbatim(value)
    if _PLAIN.fullmatch(text) and tag_of(text) == _TEXT:
        return text
    if text.isprintable():
        return "'" + text.replace("'", "''") + "'"
    return yaml.dump(text, default_style='"', allow_unicode=True, width=1_000_000).removesuffix("\n")


def verbatim(text: str) -> str:
    """Braces mean themselves."""
    braces = is_template(text) and not isinstance(text, Expression)
    return f"{{% raw %}}{text}{{% endraw %}}" if braces else text


def _is_block(text: str) -> bool:
    """Several lines that a literal block gives back as they are."""
    lines = text.split("\n")
    plain = all(line.isprintable() and line == line.rstrip() for line in lines)
    return (
        len(lines) > 1 and plain and bool(lines[0]) and bool(lines[-1]) and lines[0][0] != " " and not is_template(text)
    )
