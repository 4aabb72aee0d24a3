"""Jinja2 in values: sandboxed, native types, undefined is an error; the data keeps its shape and its marks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, Undefined, UndefinedError, meta, pass_context
from jinja2.exceptions import SecurityError
from jinja2.nativetypes import NativeEnvironment, NativeTemplate
from jinja2.runtime import Context

from hvctl.call import Secret
from hvctl.limits import NESTING, TEMPLATE_VALUES, LimitError
from hvctl.sandbox import Bounded, exceeded
from hvctl.source import ConfigError, Document, Mark, Path, Problem, RefusedError, SecretSource, suggest

_DEPTH = 20
_LOOKUPS = ("lookup", "query", "q")


class _Environment(Bounded, NativeEnvironment):
    """Native values out of a sandbox."""


def _shown(value: Any) -> Any:
    if isinstance(value, SecretSource | Secret):
        raise TypeError("a secret of elsewhere cannot be written")
    return value


_TEXTS = Bounded(undefined=StrictUndefined, keep_trailing_newline=True, trim_blocks=True, finalize=_shown)
"""For whole files; as Ansible's template has it, a block leaves no empty line."""


@pass_context
def _native(context: Context, value: Any) -> Any:
    """Jinja2 writes constants (`{{ 2 + 2 }}`) into the compiled template as text, unless a context is asked for."""
    return value


_Environment.template_class = NativeTemplate
_ENVIRONMENT = _Environment(undefined=StrictUndefined, keep_trailing_newline=True, finalize=_native)


def is_template(value: Any) -> bool:
    return isinstance(value, str) and ("{{" in value or "{%" in value)


def names_in(text: str) -> set[str]:
    """The variables that an expression names; none if it cannot be read."""
    try:
        return meta.find_undeclared_variables(_ENVIRONMENT.parse(text))
    except (TemplateError, ValueError, RecursionError, MemoryError):
        return set()


def render(data: Any, variables: Mapping[str, Any], document: Document, path: Path = ()) -> Any:
    """The data with every expression evaluated. An expression that is the whole text yields its own type; one
    within a text yields text. Raises ConfigError with all problems, at their places."""
    found, problems = rendered(data, variables, document, path)
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
    problems: list[Problem] = field(default_factory=list)
    environment: _Environment = field(default_factory=_ENVIRONMENT.bounded)
    known: dict[str, Any] = field(default_factory=dict)

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
            return evaluate(text, _Scope(self.variables, self.environment, self.known))
        except LimitError as error:
            problem = Problem(self.document.mark(path), str(error), "make it smaller, or write it out")
            raise RefusedError([problem]) from error
        except _ValueError as error:
            self.problems.append(Problem(self.document.mark(path), error.message, error.hint))
            return None


class _ValueError(Exception):
    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message, self.hint = message, hint


def evaluate(text: str, scope: _Scope) -> Any:
    """One text; what variables hold may be expressions too. Raises LimitError."""
    if scope.depth > _DEPTH:
        raise _ValueError(f"{text!r} refers to itself", "break the circle of variables")
    environment, variables = scope.environment, scope.variables
    try:
        environment.work.did()
        template = environment.from_string(text)
        parts = environment.within(template.root_render_func(template.new_context(scope.used_by(text))))
        if len(parts) > 1:  # an `if` without `else` leaves nothing in a text
            parts = ["" if type(part) is Undefined else part for part in parts]
        plain = [_plain_value(part, variables) for part in parts]
        found = plain[0] if len(plain) == 1 else "".join(str(p) for p in plain)
    except (LimitError, _ValueError):
        raise
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
    except Exception as error:  # whatever a filter may raise
        raise _ValueError(f"this expression fails: {_plain(error)}", "correct it") from error
    if isinstance(found, SecretSource | Secret) or (
        len(parts) > 1 and any(isinstance(p, SecretSource | Secret) for p in plain)
    ):
        raise _ValueError("a secret cannot stand in an ordinary value", "use it for ansible_password only")
    return found


def _plain_value(value: Any, variables: Mapping[str, Any], depth: int = 0, made: list[int] | None = None) -> Any:
    """What an expression yields, as YAML could have said it. `made`: how many values so far."""
    made = made if made is not None else [0]
    made[0] += 1
    if made[0] > TEMPLATE_VALUES.most:
        raise exceeded(TEMPLATE_VALUES)
    if depth > NESTING.most:
        raise exceeded(NESTING)
    if isinstance(value, Undefined):
        evaluate_undefined(value, variables)
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return str(value)  # Markup is a str
    if isinstance(value, SecretSource | Secret):
        if depth:
            raise _ValueError("a secret cannot stand in an ordinary value", "use it for ansible_password only")
        return value
    if isinstance(value, Mapping):
        return {
            _plain_value(k, variables, depth + 1, made): _plain_value(v, variables, depth + 1, made)
            for k, v in value.items()
        }
    if isinstance(value, Iterable) and not isinstance(value, bytes | type):
        return [_plain_value(v, variables, depth + 1, made) for v in value]
    raise _ValueError(f"this expression yields no value but a {type(value).__name__}", "correct it")


def evaluate_undefined(found: Undefined, variables: Mapping[str, Any]) -> NoReturn:
    name = str(found._undefined_name or "")
    raise _ValueError(str(found._undefined_message), _defined(name, variables) if name else "write an else")


def _defined(name: str, variables: Mapping[str, Any]) -> str:
    if name in _LOOKUPS:
        return "Ansible's lookups are not run; a secret is `!env NAME`, which group_vars can hold for an INI inventory"
    return suggest(name, variables) or "define it in the inventory or under vars"


def render_text(text: str, file: str, variables: Mapping[str, Any], reveal: Callable[[SecretSource], str]) -> str:
    """A whole file, whose text may hold secrets: `reveal` is asked for those that the variables it names hold.
    Raises ConfigError, at the line of the file."""
    texts = _TEXTS.bounded()
    try:
        scope = _Scope(variables, _ENVIRONMENT.bounded()).used_by(text)
        code = texts.compile(text, filename=file)
        template = texts.template_class.from_code(texts, code, texts.make_globals(None))
        return template.render({name: _revealed(value, reveal) for name, value in scope.items()})
    except TemplateSyntaxError as error:
        mark = Mark(file, error.lineno, 1)
        raise ConfigError([Problem(mark, f"this template cannot be read: {_plain(error)}", "correct it")]) from error
    except _ValueError as error:
        raise ConfigError([Problem(Mark(file, 1, 1), error.message, error.hint)]) from error
    except ConfigError:
        raise
    except LimitError as error:
        raise RefusedError([Problem(_place_of(error, file, text, ""), str(error), "make it smaller")]) from error
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
    """What an expression may name. `known`: variables that were evaluated before, each once."""

    variables: Mapping[str, Any]
    environment: _Environment
    known: dict[str, Any] = field(default_factory=dict)
    depth: int = 0

    def used_by(self, text: str) -> dict[str, Any]:
        """The variables that a text names, evaluated themselves."""
        names = meta.find_undeclared_variables(self.environment.parse(text))
        return {n: self._known(n) for n in names if n in self.variables}

    def _known(self, name: str) -> Any:
        if name not in self.known:
            self.known[name] = self._full(self.variables[name])
        return self.known[name]

    def _full(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {k: self._full(v) for k, v in value.items()}
        if isinstance(value, list):
            return [self._full(v) for v in value]
        return evaluate(value, replace(self, depth=self.depth + 1)) if is_template(value) else value


def _plain(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
