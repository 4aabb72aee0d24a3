"""Jinja2 in values: sandboxed, native types, undefined is an error; the data keeps its shape and its marks."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from jinja2 import (
    StrictUndefined,
    TemplateError,
    TemplateSyntaxError,
    Undefined,
    UndefinedError,
    meta,
    nodes,
    pass_context,
)
from jinja2.exceptions import SecurityError
from jinja2.nativetypes import NativeEnvironment, NativeTemplate
from jinja2.runtime import Context
from jinja2.sandbox import SandboxedEnvironment
from yaml import YAMLError

from hvctl.aswritten import Chosen, ComputedError, MissingError
from hvctl.call import Secret
from hvctl.filters import FILTERS, TESTS, FilterError
from hvctl.scalars import Written, for_field, meant
from hvctl.secrets import NotAskedError
from hvctl.source import ConfigError, Document, Mark, Path, Problem, SecretSource, suggest

_DEPTH = 20
_LOOKUPS = ("lookup", "query", "q")
_NO_NAME = re.compile(r"No (filter|test) named '([^']*)'")


class _Undefined(StrictUndefined):
    """An error as soon as it is used; a part of it is as undefined, so that `{{ a.b.c | default(5) }}` has a value."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __getitem__(self, name: Any) -> Any:
        return self


class _Environment(SandboxedEnvironment, NativeEnvironment):
    """Native values out of a sandbox."""


def _shown(value: Any) -> Any:
    if isinstance(value, SecretSource | Secret):
        raise TypeError("a secret of elsewhere cannot be written")
    return "" if value is None else value


_TEXTS = SandboxedEnvironment(undefined=_Undefined, keep_trailing_newline=True, trim_blocks=True, finalize=_shown)
"""For whole files; as Ansible's template has it, a block leaves no empty line."""


@pass_context
def _native(context: Context, value: Any) -> Any:
    """Jinja2 writes constants (`{{ 2 + 2 }}`) into the compiled template as text, unless a context is asked for."""
    return value


_Environment.template_class = NativeTemplate
_ENVIRONMENT = _Environment(undefined=_Undefined, keep_trailing_newline=True, finalize=_native)


def _with_prefix(table: Mapping[str, Any]) -> dict[str, Any]:
    return {**table, **{f"ansible.{'utils' if n == 'ipaddr' else 'builtin'}.{n}": v for n, v in table.items()}}


# Each filter of values does what Ansible's does; files for guests may use the rest of Jinja2's too.
_ENVIRONMENT.filters = _with_prefix(FILTERS)
_ENVIRONMENT.tests = _with_prefix(TESTS)
_TEXTS.filters.update(_ENVIRONMENT.filters)
_TEXTS.tests.update(_ENVIRONMENT.tests)


def is_template(value: Any) -> bool:
    return isinstance(value, str) and ("{{" in value or "{%" in value)


def names_in(text: str) -> set[str]:
    """The variables that an expression names; none if it cannot be read."""
    try:
        return meta.find_undeclared_variables(_ENVIRONMENT.parse(text))
    except TemplateSyntaxError:
        return set()


def render(
    data: Any,
    variables: Mapping[str, Any],
    document: Document,
    path: Path = (),
    *,
    secrets: Collection[str] = (),
    typed: bool = True,
) -> Any:
    """The data with every expression evaluated. An expression that is the whole text yields its own type; one
    within a text yields text. `secrets`: keys whose values may be one, by an expression alone. `typed`: what the command
    line gives may be a number. Raises ConfigError with all problems, at their places."""
    work = _Rendering(variables, document, secrets, typed)
    found, problems = work.value(data, path), work.problems
    if problems:
        raise ConfigError(problems)
    return found


def rendered(data: Any, variables: Mapping[str, Any], document: Document, path: Path = ()) -> tuple[Any, list[Problem]]:
    """As `render`, with None for every expression that has no value, and the problems beside it."""
    work = _Rendering(variables, document)
    return work.value(data, path), work.problems


@dataclass
class _Rendering:
    variables: Mapping[str, Any]
    document: Document
    secrets: Collection[str] = ()
    typed: bool = True
    problems: list[Problem] = field(default_factory=list)

    def value(self, data: Any, path: Path) -> Any:
        if isinstance(data, dict):
            return {key: self.value(value, (*path, key)) for key, value in data.items()}
        if isinstance(data, list):
            return [self.value(value, (*path, n)) for n, value in enumerate(data)]
        if not is_template(data):
            return data
        return self._evaluated(data, path)

    def _evaluated(self, text: str, path: Path) -> Any:
        try:
            secret = bool(path) and path[-1] in self.secrets
            found = evaluate(text, self.variables, secret=secret)
            return for_field(found) if self.typed else found
        except _ValueError as error:
            self.problems.append(Problem(self.document.mark(path), error.message, error.hint))
            return None


class _ValueError(Exception):
    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message, self.hint = message, hint


def evaluate(text: str, variables: Mapping[str, Any], depth: int = 0, *, secret: bool = False) -> Any:
    """One text; what variables hold may be expressions too. What only chooses among variables stays as written.
    `secret`: it may be the source of one."""
    if depth > _DEPTH:
        raise _ValueError(f"{text!r} refers to itself", "break the circle of variables")
    try:
        found = _found(text, _Scope(variables, depth, secret))
    except UndefinedError as error:
        name = str(error).split("'")[1] if "'" in str(error) else ""
        raise _ValueError(f"{_plain(error)}", _defined(name, variables)) from error
    except TemplateSyntaxError as error:
        raise _ValueError(
            f"this expression cannot be read: {_plain(error)}", "correct it, or quote {{ as {{ '{{' }}"
        ) from error
    except SecurityError as error:
        raise _ValueError(
            f"this expression does what it may not: {_plain(error)}", "keep to values and filters"
        ) from error
    except FilterError as error:
        raise _ValueError(_plain(error), error.hint or "correct it") from error
    except (
        TemplateError,
        ArithmeticError,
        TypeError,
        ValueError,
        KeyError,
        IndexError,
        AttributeError,
        OverflowError,
        RecursionError,
        MemoryError,
        RuntimeError,
        LookupError,
        YAMLError,
        re.error,
    ) as error:
        if unknown := _NO_NAME.search(str(error)):
            raise _unknown(unknown[1], unknown[2]) from error
        raise _ValueError(f"this expression fails: {_plain(error)}", "correct it") from error
    if isinstance(found, SecretSource | Secret) and not secret:
        raise _no_secret()
    return found


def _found(text: str, scope: _Scope) -> Any:
    source = _with_backslashes(text)
    tree = _ENVIRONMENT.parse(source)
    _check_names(tree)
    alone, newline = _alone(tree)
    if alone is not None:
        try:
            found = Chosen(scope.written, scope.computed).value(alone)
        except (ComputedError, MissingError):
            pass
        else:
            return found + newline if isinstance(found, str) and not isinstance(found, Written) else found
    parts = _evaluated(tree, scope)
    if alone is not None and (not newline or not isinstance(parts[0], str)):
        parts = parts[:1]
    if len(parts) == 1:
        return _settled(parts[0], scope.variables)
    if any(isinstance(p, SecretSource | Secret) for p in parts):
        raise _no_secret()
    return _joined(parts, scope.variables)


def _evaluated(tree: nodes.Template, scope: _Scope) -> list[Any]:
    code = _ENVIRONMENT.compile(tree)
    template = _ENVIRONMENT.template_class.from_code(_ENVIRONMENT, code, _ENVIRONMENT.make_globals(None))
    return list(template.root_render_func(template.new_context(scope.used_by(tree))))


def _alone(tree: nodes.Template) -> tuple[nodes.Expr | None, str]:
    """The expression that is the whole text; a folded or literal block of YAML ends it with a line break."""
    match tree.body:
        case [nodes.Output(nodes=[nodes.Expr() as one])] if not isinstance(one, nodes.TemplateData):
            return one, ""
        case [nodes.Output(nodes=[nodes.Expr() as one, nodes.TemplateData(data="\n")])]:
            return one, "\n"
    return None, ""


def _with_backslashes(text: str) -> str:
    """A backslash in a quoted text of `{{ }}` stands for itself, as in Ansible: '\\1' is a group of a match."""
    if "\\" not in text:
        return text
    parts: list[str] = []
    within = False
    for _, kind, part in _ENVIRONMENT.lex(text):
        within = kind == "variable_begin" or (within and kind != "variable_end")
        parts.append(part.replace("\\", "\\\\") if within and kind == "string" else part)
    return "".join(parts)


def _check_names(tree: nodes.Template) -> None:
    """Filters and tests are known by name, in branches that are not taken too."""
    for node in tree.find_all((nodes.Filter, nodes.Test)):
        kind, known = (
            ("filter", _ENVIRONMENT.filters) if isinstance(node, nodes.Filter) else ("test", _ENVIRONMENT.tests)
        )
        if node.name not in known:
            raise _unknown(kind, node.name)


def _unknown(kind: str, name: str) -> _ValueError:
    known = FILTERS if kind == "filter" else TESTS
    hint = suggest(name.removeprefix("ansible.builtin."), known) or f"known are {', '.join(sorted(known))}"
    return _ValueError(f"{name!r} is not a {kind} that hvctl has", hint)


def _no_secret() -> _ValueError:
    return _ValueError("a secret cannot stand in an ordinary value", "use it for ansible_password only")


def _settled(value: Any, variables: Mapping[str, Any]) -> Any:
    """Plain data: what is made on the way (views, generators) as lists, and nothing undefined within."""
    if isinstance(value, Undefined):
        evaluate_undefined(value, variables)
    if isinstance(value, Mapping):
        return {k: _settled(v, variables) for k, v in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        return [_settled(v, variables) for v in value]
    return value


def _joined(parts: Sequence[Any], variables: Mapping[str, Any]) -> str:
    for part in parts:
        if isinstance(part, StrictUndefined):
            evaluate_undefined(part, variables)
    return "".join("" if p is None else str(p) for p in parts)


def evaluate_undefined(found: Undefined, variables: Mapping[str, Any]) -> NoReturn:
    name = str(found._undefined_name or "")
    raise _ValueError(str(found._undefined_message), _defined(name, variables))


def _defined(name: str, variables: Mapping[str, Any]) -> str:
    if name in _LOOKUPS:
        return "Ansible's lookups are not run; a secret is `!env NAME`, which group_vars can hold for an INI inventory"
    return suggest(name, variables) or "define it in the inventory or under vars"


def render_text(text: str, file: str, variables: Mapping[str, Any], reveal: Callable[[SecretSource], str]) -> str:
    """A whole file, whose text may hold secrets: `reveal` is asked for those that the variables it names hold.
    Raises ConfigError, at the line of the file."""
    try:
        scope = _Scope(variables, 0, secret=True).used_by(_TEXTS.parse(text))
        code = _TEXTS.compile(text, filename=file)
        template = _TEXTS.template_class.from_code(_TEXTS, code, _TEXTS.make_globals(None))
        return template.render({name: _revealed(value, reveal) for name, value in scope.items()})
    except TemplateSyntaxError as error:
        mark = Mark(file, error.lineno, 1)
        raise ConfigError([Problem(mark, f"this template cannot be read: {_plain(error)}", "correct it")]) from error
    except _ValueError as error:
        raise ConfigError([Problem(Mark(file, 1, 1), error.message, error.hint)]) from error
    except (ConfigError, NotAskedError):
        raise
    except Exception as error:  # whatever a filter may raise
        name = str(error).split("'")[1] if isinstance(error, UndefinedError) and "'" in str(error) else ""
        mark = _place_of(error, file, text, name.rpartition(" ")[2])
        if isinstance(error, UndefinedError):
            raise ConfigError([Problem(mark, _plain(error), _defined(name, variables))]) from error
        raise ConfigError([Problem(mark, f"this template fails: {_plain(error)}", "correct it")]) from error


def _place_of(error: Exception, file: str, text: str, word: str) -> Mark:
    """Jinja2 gives its tracebacks the template's lines; the column is that of the word."""
    line, trace = 1, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == file:
            line = trace.tb_lineno
        trace = trace.tb_next
    lines = text.splitlines()
    column = lines[line - 1].find(word) + 1 if word and line <= len(lines) else 0
    return Mark(file, line, max(1, column))


def _revealed(value: Any, reveal: Callable[[SecretSource], str]) -> Any:
    if isinstance(value, SecretSource):
        return reveal(value)
    if isinstance(value, dict):
        return {k: _revealed(v, reveal) for k, v in value.items()}
    return [_revealed(v, reveal) for v in value] if isinstance(value, list) else value


@dataclass
class _Scope:
    variables: Mapping[str, Any]
    depth: int
    secret: bool = False

    def used_by(self, tree: nodes.Template) -> dict[str, Any]:
        """The variables that a text names, evaluated themselves, as expressions see them."""
        names = meta.find_undeclared_variables(tree)
        return {n: meant(self._full(self.variables[n])) for n in names if n in self.variables}

    def written(self, name: str) -> Any:
        """A variable as it was written. Raises MissingError."""
        if name in self.variables:
            return self._full(self.variables[name])
        if name in _ENVIRONMENT.globals:
            raise ComputedError
        raise MissingError

    def computed(self, node: nodes.Expr) -> Any:
        tree = nodes.Template([nodes.Output([node], lineno=1)], lineno=1)
        tree.set_environment(_ENVIRONMENT)
        return _settled(_evaluated(tree, self)[0], self.variables)

    def _full(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {k: self._full(v) for k, v in value.items()}
        if isinstance(value, list):
            return [self._full(v) for v in value]
        if not is_template(value):
            return value
        return evaluate(value, self.variables, self.depth + 1, secret=self.secret)


class Evaluated(Mapping[str, Any]):
    """Variables of another host, each evaluated when it is asked for."""

    def __init__(self, variables: Mapping[str, Any]) -> None:
        self._variables = variables

    def __getitem__(self, name: str) -> Any:
        value = self._variables[name]
        return meant(_Scope(self._variables, 0)._full(value))

    def __iter__(self) -> Iterator[str]:
        return (n for n in self._variables if n != "hostvars")

    def __len__(self) -> int:
        return len(list(iter(self)))


def _plain(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
