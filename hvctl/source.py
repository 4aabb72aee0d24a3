"""YAML → plain data and a side table of marks; and the problems that are told with them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path as File
from typing import Any, Literal

import yaml

from hvctl.scalars import key, scalar

Path = tuple[str | int, ...]
"""Keys and positions from the top of a document."""


@dataclass(frozen=True, order=True)
class Mark:
    """A place in a file, counted from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True)
class Problem:
    """What is wrong, where, and what to do about it."""

    mark: Mark | None
    message: str
    hint: str = ""
    level: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        place = f"{self.mark}: " if self.mark else ""
        return place + self.message + (f"; {self.hint}" if self.hint else "")


@dataclass(frozen=True)
class HostProblem(Problem):
    """What is wrong for one host only: the others go on without it."""


class ConfigError(Exception):
    """Something the user wrote is wrong; all of it together."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda p: (p.mark is not None, p.mark or Mark("", 0, 0))))
        super().__init__("\n".join(str(p) for p in self.problems))


@dataclass(frozen=True)
class SecretSource:
    """Where a secret is to be had; never the secret itself. `kind`: env, keyring, command; vault, whose one word is
    the text that ansible-vault wrote."""

    kind: Literal["env", "keyring", "command", "vault"]
    words: tuple[str, ...]
    mark: Mark

    def __repr__(self) -> str:
        if self.kind == "command":  # its arguments may be secrets themselves
            return f"!command {self.words[0]}" + " …" * (len(self.words) > 1)
        if self.kind == "vault":
            return "!vault"
        return f"!{self.kind} {' '.join(self.words)}"


class Vaulted(str):
    """A text that came encrypted: used as any other, never shown."""

    __slots__ = ()


class Verbatim(Vaulted):
    """Braces in it mean nothing: Ansible evaluates no expression in a `!vault` value."""

    __slots__ = ()


@dataclass(frozen=True)
class Document:
    """Plain data; `marks` of values and `key_marks` of keys, by path."""

    data: Any
    marks: Mapping[Path, Mark]
    key_marks: Mapping[Path, Mark]
    file: str

    def mark(self, path: Path) -> Mark:
        """Of a value, or of the nearest thing around it."""
        while path and path not in self.marks:
            path = path[:-1]
        return self.marks.get(path) or Mark(self.file, 1, 1)


_BEGINNING = 3
"""Letters that may stand for a longer word: mac for mac_address."""


def suggest(word: str, candidates: Iterable[str]) -> str:
    """ "did you mean 'x'?", or nothing."""
    found = nearest(word, candidates)
    return f"did you mean {found!r}?" if found else ""


def nearest(word: str, candidates: Iterable[str]) -> str:
    """The candidate that a misspelt or shortened word was to be; "" if none is near."""
    known = [str(c) for c in candidates]
    found = difflib.get_close_matches(word.casefold(), known, 1, 0.6)
    if not found and len(word) >= _BEGINNING:
        found = sorted((c for c in known if c.startswith(word.casefold())), key=len)
    return found[0] if found else ""


def load(file: str | File) -> Document:
    """Raises ConfigError with every problem of the file."""
    return load_text(read_text(file), name_of(file))


def read_text(file: str | File) -> str:
    """A file as UTF-8 text, with or without a byte order mark. Raises ConfigError."""
    name = name_of(file)
    try:
        return File(file).read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ConfigError(
            [Problem(None, f"{name} cannot be read: {error.strerror}", "name a file that is there")]
        ) from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigError(
            [Problem(Mark(name, line, 1), "this is not UTF-8 text", "save the file as UTF-8 (it may be cp932 now)")]
        ) from error


def load_text(text: str, file: str) -> Document:
    """Raises ConfigError with every problem of the text."""
    builder = _Builder(file)
    try:
        nodes = list(yaml.compose_all(text, Loader=yaml.SafeLoader))
    except yaml.MarkedYAMLError as error:
        raise ConfigError([_syntax(error, file, text)]) from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ConfigError([Problem(Mark(file, 1, 1), f"this is not YAML: {_line_of(error)}", "correct it")]) from error
    if len(nodes) > 1:
        place = _mark(file, nodes[1])
        raise ConfigError([Problem(place, "a second document begins here", "put each document in a file of its own")])
    data = builder.value(nodes[0], ()) if nodes and nodes[0] is not None else None
    if builder.problems:
        raise ConfigError(builder.problems)
    return Document(data, builder.marks, builder.key_marks, file)


def name_of(file: str | File) -> str:
    """As messages write it: from the current folder, if it is below that."""
    path = File(file)
    try:
        return str(path.relative_to(File.cwd())) if path.is_absolute() else str(file)
    except ValueError:
        return str(file)


_CORE = "tag:yaml.org,2002:"
_MAX_VALUES = 1_000_000


@dataclass
class _Builder:
    """Nodes → data and marks; collects problems and goes on."""

    file: str
    marks: dict[Path, Mark] = field(default_factory=dict)
    key_marks: dict[Path, Mark] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    made: int = 0
    open: list[int] = field(default_factory=list)

    def value(self, node: yaml.Node, path: Path) -> Any:
        self.made += 1
        if self.made > _MAX_VALUES or id(node) in self.open:
            # An alias inside its own anchor, or aliases that multiply: neither is a configuration.
            if self.made != _MAX_VALUES + 2:
                self._wrong(
                    node, "an alias refers to what it stands in, or aliases multiply without end", "write it out"
                )
            self.made = _MAX_VALUES + 1
            return None
        self.marks[path] = _mark(self.file, node)
        if node.tag in ("!env", "!keyring", "!command", "!vault", "!vault-encrypted"):
            return self._secret(node)
        if node.tag.startswith("!") and node.tag != "!":
            self._wrong(node, f"unknown tag {node.tag}", "known are !env, !keyring, !command, !vault")
            return None
        self.open.append(id(node))
        try:
            if isinstance(node, yaml.MappingNode):
                return self._mapping(node, path)
            if isinstance(node, yaml.SequenceNode):
                return [self.value(item, (*path, n)) for n, item in enumerate(node.value)]
        finally:
            self.open.pop()
        return self._scalar(node)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        own: dict[str, Mark] = {}
        for key_node, value_node in node.value:
            if key_node.tag == f"{_CORE}merge":
                self._merge(value_node, path, found, own)
                continue
            name = self._key(key_node)
            if name is None:
                continue
            place = _mark(self.file, key_node)
            if name in own:
                self.problems.append(
                    Problem(place, f"the key {name!r} stands here again", f"it stands at {own[name]} already; keep one")
                )
                continue
            own[name] = place
            self.key_marks[(*path, name)] = place
            found[name] = self.value(value_node, (*path, name))
        return found

    def _merge(self, node: yaml.Node, path: Path, found: dict[str, Any], own: Mapping[str, Mark]) -> None:
        """`<<: *anchor`: what is written beside it wins, and earlier ones over later ones."""
        sources = node.value if isinstance(node, yaml.SequenceNode) else [node]
        for source in sources:
            if not isinstance(source, yaml.MappingNode):
                self._wrong(source, "only a mapping can be merged", "point << to an anchor of a mapping")
                continue
            marks, keys = dict(self.marks), dict(self.key_marks)
            merged = self.value(source, path)
            self.marks, self.key_marks = {**self.marks, **marks}, {**self.key_marks, **keys}
            for name, value in (merged or {}).items():
                if name not in own:
                    found.setdefault(name, value)

    def _key(self, node: yaml.Node) -> str | None:
        if isinstance(node, yaml.ScalarNode):
            return key(node.tag, str(node.value))
        self._wrong(node, "a key is a word, not a list or a mapping", "put a text in quotes if it begins with [ or {")
        return None

    def _scalar(self, node: yaml.Node) -> Any:
        try:
            return scalar(node.tag, str(node.value))
        except (ValueError, OverflowError) as error:
            self._wrong(node, f"this is not a valid value: {_line_of(error)}", "correct it, or put it in quotes")
            return None

    def _secret(self, node: yaml.Node) -> SecretSource | None:
        place = _mark(self.file, node)
        if node.tag == "!command":
            items = node.value if isinstance(node, yaml.SequenceNode) else []
            words = tuple(str(i.value) for i in items if isinstance(i, yaml.ScalarNode))
            if not words or len(words) != len(items):
                self._wrong(node, "!command takes a list", "write `!command [pass, show, name]`")
                return None
            return SecretSource("command", words, place)
        text = str(node.value).strip() if isinstance(node, yaml.ScalarNode) else ""
        if node.tag.startswith("!vault"):
            if not text.startswith("$ANSIBLE_VAULT;"):
                self._wrong(
                    node, "!vault takes what ansible-vault wrote", "make it with `ansible-vault encrypt_string`"
                )
                return None
            return SecretSource("vault", (text,), place)
        if node.tag == "!env":
            if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", text):
                self._wrong(node, "!env takes the name of a variable", "write `!env NAME`")
                return None
            return SecretSource("env", (text,), place)
        service, slash, user = text.rpartition("/")
        if not slash or not service or not user:
            self._wrong(node, "!keyring takes service/user", "write `!keyring hyper-v/hvadmin`")
            return None
        return SecretSource("keyring", (service, user), place)

    def _wrong(self, node: yaml.Node, message: str, hint: str) -> None:
        self.problems.append(Problem(_mark(self.file, node), message, hint))


def _mark(file: str, node: yaml.Node) -> Mark:
    return Mark(file, node.start_mark.line + 1, node.start_mark.column + 1)


def _syntax(error: yaml.MarkedYAMLError, file: str, text: str) -> Problem:
    place = error.problem_mark or error.context_mark
    mark = Mark(file, place.line + 1, place.column + 1) if place else Mark(file, 1, 1)
    lines = text.splitlines()
    if place and place.line < len(lines) and "\t" in lines[place.line][: place.column + 1]:
        return Problem(mark, "a tab stands where YAML wants spaces", "indent with spaces")
    what = (error.problem or error.context or "this is not YAML").replace("\n", " ")
    if "found undefined alias" in what:
        return Problem(mark, what, "define the anchor with & before it is used")
    if "escape" in what:
        return Problem(
            mark, f"YAML cannot read this: {what}", "write Windows paths in single quotes, not in double ones"
        )
    if "mapping values are not allowed" in what:
        return Problem(mark, "a colon stands where no key can be", "put the text in quotes, or correct the indentation")
    return Problem(mark, f"YAML cannot read this: {what}", "look at the indentation and the quotes here and above")


def _line_of(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
