"""YAML → plain data and a side table of marks."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path as File
from typing import Any, Literal

import yaml

from hvctl.text.diagnostic import ConfigError, Diagnostic, Mark
from hvctl.text.exhaustion import exhaustion
from hvctl.text.limits import ALIASED, DIGITS, FILE_SIZE, NESTING
from hvctl.text.scalars import key, scalar, tag_of
from hvctl.text.visible import quoted
from hvctl.text.width import first_sign, half_width

Path = tuple[str | int, ...]
"""Keys and positions from the top of a document."""


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
    unread: frozenset[Mark] = frozenset()
    """Where a value stands that could not be read: it is null here."""

    def mark(self, path: Path) -> Mark:
        """Of a value, or of the nearest thing around it."""
        while path and path not in self.marks:
            path = path[:-1]
        return self.marks.get(path) or Mark(self.file, 1, 1)

    def lacks(self, path: Path, value: Any) -> bool:
        """The value is null here because it could not be read."""
        return value is None and self.mark(path) in self.unread


COMMAND_LINE = Document(None, {(): Mark("command line", 0, 0)}, {}, "command line")
"""What a verb asks for, which stands in no file."""


class PartlyReadError(ConfigError):
    """Some of a text is wrong; `document` is the rest, so that the rest can be checked in the same round."""

    def __init__(self, problems: Iterable[Diagnostic], document: Document) -> None:
        super().__init__(problems)
        self.document = document


_BEGINNING = 3
"""Letters that may stand for a longer word: mac for mac_address."""


def suggest(word: str, candidates: Iterable[str]) -> str:
    """ "did you mean 'x'?", or nothing."""
    found = nearest(word, candidates)
    return f"did you mean {quoted(found)}?" if found else ""


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
        with File(file).open("rb") as stream:  # may be a pipe, and may have no end
            return decoded(stream.read(FILE_SIZE.most + 1), name)
    except OSError as error:
        short = exhaustion(error)
        hint = short.hint if short else "name a file that is there"
        raise ConfigError([Diagnostic(None, f"{name} cannot be read: {error.strerror}", hint)]) from error
    except ValueError as error:  # a NUL in the name
        raise ConfigError([Diagnostic(None, f"{quoted(name)} is not a valid file name", "correct it")]) from error


def decoded(data: bytes, name: str) -> str:
    """Raises ConfigError."""
    if len(data) > FILE_SIZE.most:
        raise ConfigError([Diagnostic(Mark(name, 1, 1), f"the file is too large ({FILE_SIZE})", "divide it")])
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        now = "UTF-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "cp932"
        raise ConfigError(
            [Diagnostic(Mark(name, line, 1), "this is not UTF-8 text", f"save the file as UTF-8 (it may be {now} now)")]
        ) from error


def load_text(text: str, file: str) -> Document:
    """Raises ConfigError with every problem of the text; PartlyReadError where it has the shape of YAML."""
    nodes, mappings = _composed(text, file)
    if len(nodes) > 1:
        place = _mark(file, nodes[1])
        raise ConfigError(
            [Diagnostic(place, "a second document begins here", "put each document in a file of its own")]
        )
    builder = _Builder(file)
    try:
        for mapping in mappings:
            builder.flatten(mapping)
        data = builder.value(nodes[0], ()) if nodes else None
    except _TooManyError:
        raise ConfigError(dict.fromkeys(builder.problems)) from None
    document = Document(data, builder.marks, builder.key_marks, file, frozenset(builder.unread))
    if builder.problems:
        raise PartlyReadError(dict.fromkeys(builder.problems), document)  # what is used twice is wrong once
    return document


def _composed(text: str, file: str) -> tuple[list[yaml.Node], list[yaml.MappingNode]]:
    """The documents, and all their mappings, inner ones first. Raises ConfigError."""
    loader: _Loader | None = None
    nodes: list[yaml.Node] = []
    try:
        loader = _Loader(text)
        while loader.check_node():
            if (node := loader.get_node()) is not None:
                nodes.append(node)
    except yaml.MarkedYAMLError as error:
        raise ConfigError([_syntax(error, file, text)]) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        column = error.position - text.rfind("\n", 0, error.position)
        what = f"this is not YAML: the character U+{ord(text[error.position]):04X} is not allowed"
        raise ConfigError([Diagnostic(Mark(file, line, column), what, "remove it")]) from error
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        # A number of the scanner's own: a code point, a version of YAML.
        at = loader.get_mark() if loader is not None else None
        place = Mark(file, at.line + 1, at.column + 1) if at is not None else Mark(file, 1, 1)
        raise ConfigError([Diagnostic(place, f"this is not YAML: {line_of(error)}", "correct it")]) from error
    return nodes, loader.mappings


def name_of(file: str | File) -> str:
    """As messages write it: from the current folder, if it is below that."""
    path = File(file)
    try:
        return str(path.relative_to(File.cwd())) if path.is_absolute() else str(file)
    except (ValueError, OSError):  # elsewhere; or the current folder is gone
        return str(file)


class _Loader(yaml.SafeLoader):
    """Scalars are what YAML 1.1 makes of them; nesting is bounded, and mappings are kept in the order of their ends."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.depth = 0
        self.mappings: list[yaml.MappingNode] = []

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.depth == NESTING.most:
            place = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem=f"it is nested too deeply ({NESTING})", problem_mark=place)
        alias = self.check_event(yaml.AliasEvent)
        self.depth += 1
        try:
            node = super().compose_node(parent, index)
        finally:
            self.depth -= 1
        if isinstance(node, yaml.MappingNode) and not alias:
            self.mappings.append(node)
        return node


_CORE = "tag:yaml.org,2002:"
_SECRETS = ("!env", "!keyring", "!command", "!vault", "!vault-encrypted")
_SCALARS = {
    f"{_CORE}bool": "true or false",
    f"{_CORE}int": "a whole number",
    f"{_CORE}float": "a number",
    f"{_CORE}null": "null",
    f"{_CORE}timestamp": "a date",
    f"{_CORE}str": "a text",
    f"{_CORE}merge": "a text",
    f"{_CORE}value": "a text",
}
"""Of the tags that a scalar may have, written or not: what it is."""
UNTEXT = re.compile("[\x00\ud800-\udfff]")
"""NUL ends a name for the system, and half a character is none; escapes can make both."""


class _TooManyError(Exception):
    """A limit is passed; nothing more is looked at."""


@dataclass
class _Builder:
    """Nodes → data and marks; collects problems and goes on. What the tags of YAML mean stands here and nowhere else."""

    file: str
    marks: dict[Path, Mark] = field(default_factory=dict)
    key_marks: dict[Path, Mark] = field(default_factory=dict)
    problems: list[Diagnostic] = field(default_factory=list)
    unread: set[Mark] = field(default_factory=set)
    aliased: int = 0
    seen: set[int] = field(default_factory=set)
    open: set[int] = field(default_factory=set)
    entries: dict[int, dict[str, tuple[yaml.Node, yaml.Node]]] = field(default_factory=dict)

    def value(self, node: yaml.Node, path: Path) -> Any:
        if id(node) in self.open:
            self._wrong(node, "an alias refers to what it stands in", "write it out")
            return None
        if id(node) in self.seen:
            self._again(node)
        self.seen.add(id(node))
        self.marks[path] = _mark(self.file, node)
        if node.tag in _SECRETS:
            return self._secret(node)
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node)
        self.open.add(id(node))
        try:
            if isinstance(node, yaml.MappingNode) and node.tag == f"{_CORE}map":
                return self._mapping(node, path)
            if isinstance(node, yaml.SequenceNode) and node.tag == f"{_CORE}seq":
                return [self.value(item, (*path, n)) for n, item in enumerate(node.value)]
        finally:
            self.open.discard(id(node))
        what = "a list" if isinstance(node, yaml.SequenceNode) else "a mapping"
        if node.tag in (*_SCALARS, f"{_CORE}map", f"{_CORE}seq"):
            self._wrong(node, f"{_tag_of(node)} does not go with {what}", "remove it")
        else:
            self._unknown_tag(node)
        return None

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, (key_node, value_node) in self.entries[id(node)].items():
            self.key_marks[(*path, name)] = _mark(self.file, key_node)
            found[name] = self.value(value_node, (*path, name))
        return found

    def flatten(self, node: yaml.MappingNode) -> None:
        """Its entries with those of its merges (`<<: *anchor`): what is written beside them wins, and earlier ones over
        later. The mappings that it merges were flattened before, since an anchor stands before its aliases."""
        own: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        merged: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        for key_node, value_node in node.value:
            if key_node.tag == f"{_CORE}merge":
                for source in value_node.value if isinstance(value_node, yaml.SequenceNode) else [value_node]:
                    for word, entry in self._merged(source, key_node).items():
                        self._again(source)
                        merged.setdefault(word, entry)
                continue
            name = self._key(key_node)
            if name in own:
                there = _mark(self.file, own[name][0])
                text, hint = f"the key {quoted(name)} stands here again", f"it stands at {there} already; keep one"
                self.problems.append(Diagnostic(_mark(self.file, key_node), text, hint))
            elif name is not None:
                own[name] = (key_node, value_node)
        self.entries[id(node)] = {**merged, **own}

    def _merged(self, source: yaml.Node, key: yaml.Node) -> Mapping[str, tuple[yaml.Node, yaml.Node]]:
        if not isinstance(source, yaml.MappingNode):
            self._wrong(source, "only a mapping can be merged", "point << to an anchor of a mapping")
        elif id(source) not in self.entries:
            self._wrong(key, "an alias refers to what it stands in", "write it out")
        return self.entries.get(id(source), {})

    def _key(self, node: yaml.Node) -> str | None:
        if isinstance(node, yaml.ScalarNode) and node.tag in _SCALARS:
            return key(node.tag, self._text(node))
        self._wrong(node, "a key is a word, not a list or a mapping", "put a text in quotes if it begins with [ or {")
        return None

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        text = str(node.value)
        if node.tag not in _SCALARS:
            if node.tag in (f"{_CORE}map", f"{_CORE}seq"):
                self._wrong(node, f"{_tag_of(node)} does not go with a text", "remove it")
            else:
                self._unknown_tag(node)
            return None
        what = _SCALARS[node.tag]
        if what == "a text":
            return self._text(node)
        if len(text) > DIGITS.most:
            self._wrong(node, f"this number is too long ({DIGITS})", "put it in quotes if it is a text")
            return None
        try:
            found = scalar(node.tag, text)
            if not isinstance(found, float) or math.isfinite(found):
                return found
        except (ValueError, OverflowError):
            pass
        hint = "put it in quotes if it is a text" if tag_of(text) == node.tag else f"remove {_tag_of(node)}"
        self._wrong(node, f"{quoted(text)} is not {what}", f"correct it, or {hint}")
        return None

    def _text(self, node: yaml.ScalarNode) -> str:
        text = str(node.value)
        if not UNTEXT.search(text):
            return text
        with suppress(UnicodeDecodeError):  # JSON writes what is beyond U+FFFF as two escapes; PyYAML leaves them so
            text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
        if bad := UNTEXT.search(text):
            code = f"U+{ord(bad[0]):04X}"
            self._wrong(node, f"a text cannot hold the character {code}", "remove its escape")
            return UNTEXT.sub("\N{REPLACEMENT CHARACTER}", text)
        return text

    def _again(self, node: yaml.Node) -> None:
        """Counts what stands once and is used again."""
        self.aliased += 1
        if self.aliased > ALIASED.most:
            self._wrong(node, f"aliases and merges multiply without end ({ALIASED})", "write it out")
            raise _TooManyError

    def _unknown_tag(self, node: yaml.Node) -> None:
        self._wrong(node, f"unknown tag {_tag_of(node)}", "known are !env, !keyring, !command, !vault")

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
        place = _mark(self.file, node)
        self.unread.add(place)
        self.problems.append(Diagnostic(place, message, hint))


def _tag_of(node: yaml.Node) -> str:
    """As it is written."""
    return "!!" + node.tag.removeprefix(_CORE) if node.tag.startswith(_CORE) else str(node.tag)


def _mark(file: str, node: yaml.Node) -> Mark:
    return Mark(file, node.start_mark.line + 1, node.start_mark.column + 1)


def _syntax(error: yaml.MarkedYAMLError, file: str, text: str) -> Diagnostic:
    place = error.problem_mark or error.context_mark
    mark = Mark(file, place.line + 1, place.column + 1) if place else Mark(file, 1, 1)
    lines = text.splitlines()
    if place and (wide := full_width(lines, file, place.line)):
        return wide
    if place and place.line < len(lines) and "\t" in lines[place.line][: place.column + 1]:
        return Diagnostic(mark, "a tab stands where YAML wants spaces", "indent with spaces")
    what = (error.problem or error.context or "this is not YAML").replace("\n", " ")
    if what.endswith(f"({NESTING})"):
        return Diagnostic(mark, what, "no configuration needs that")
    if "found undefined alias" in what:
        return Diagnostic(mark, what, "define the anchor with & before it is used")
    if "escape" in what:
        return Diagnostic(
            mark, f"YAML cannot read this: {what}", "write Windows paths in single quotes, not in double ones"
        )
    if "mapping values are not allowed" in what:
        return Diagnostic(
            mark, "a colon stands where no key can be", "put the text in quotes, or correct the indentation"
        )
    return Diagnostic(mark, f"YAML cannot read this: {what}", "look at the indentation and the quotes here and above")


def full_width(lines: list[str], file: str, line: int) -> Diagnostic | None:
    """A sign of YAML in its full-width form, in a line where YAML gives up or in the one before."""
    found = first_sign(lines, (line, line - 1))
    if found is None:
        return None
    return Diagnostic(
        Mark(file, found.line + 1, found.column + 1),
        f"a full-width {found.name} (U+{ord(found.char):04X}) stands here: YAML takes it for a part of the text",
        f"write {quoted(half_width(found.char))} in half-width characters",
    )


def line_of(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
