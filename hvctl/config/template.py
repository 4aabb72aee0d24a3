"""Jinja2 in values: sandboxed, native types, undefined is an error; the data keeps its shape and its marks."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property, lru_cache
from typing import Any, NoReturn

from jinja2 import TemplateError, TemplateSyntaxError, Undefined, UndefinedError, meta, nodes
from jinja2.exceptions import SecurityError

from hvctl.call import Secret
from hvctl.config.aswritten import Chosen, ComputedError, MissingError
from hvctl.config.environment import Expression, Values, alone, texts, unknown_in
from hvctl.config.filter_error import FilterError
from hvctl.config.sandbox import exceeded
from hvctl.config.secrets import VAULT_CLOSED, NotAskedError
from hvctl.text.diagnostic import ConfigError, Diagnostic, Mark, RefusedError, UndefinedDiagnostic
from hvctl.text.limits import NESTING, TEMPLATE_VALUES, LimitError
from hvctl.text.scalars import Settled, Written, for_field, meant
from hvctl.text.source import Document, Path, SecretSource, Vaulted, Verbatim, line_of, suggest
from hvctl.text.visible import quoted

_DEPTH = 20
_LOOKUPS = ("lookup", "query", "q")
_TEXTS = texts()
_ENVIRONMENT = Values()


def is_template(value: Any) -> bool:
    return isinstance(value, str) and not isinstance(value, Verbatim) and ("{{" in value or "{%" in value)


def names_in(text: str) -> set[str]:
    """The variables that an expression names; none if it cannot be read."""
    try:
        return meta.find_undeclared_variables(_ENVIRONMENT.parse(text))
    except (TemplateError, ValueError, RecursionError, MemoryError):
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


def rendered(
    data: Any, variables: Mapping[str, Any], document: Document, path: Path = ()
) -> tuple[Any, list[Diagnostic]]:
    """As `render`, with None for every expression that has no value, and the problems beside it."""
    work = _Rendering(variables, document)
    return work.value(data, path), work.problems


@dataclass
class _Rendering:
    variables: Mapping[str, Any]
    document: Document
    secrets: Collection[str] = ()
    typed: bool = True
    problems: list[Diagnostic] = field(default_factory=list)
    known: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def environment(self) -> Values:
        return _ENVIRONMENT.bounded()

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
            # What was evaluated for a secret may hold one.
            known = {} if secret else self.known
            found = evaluate(text, _Scope(self.variables, self.environment, known, secret=secret))
            return for_field(found) if self.typed else found
        except LimitError as error:
            problem = Diagnostic(self.document.mark(path), str(error), "make it smaller, or write it out")
            raise RefusedError([problem]) from error
        except _ValueError as error:
            kind = UndefinedDiagnostic if isinstance(error, _UndefinedError) else Diagnostic
            self.problems.append(kind(self.document.mark(path), error.message, error.hint))
            return None


class _ValueError(Exception):
    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message, self.hint = message, hint


class _UndefinedError(_ValueError):
    """A name has no value."""


def evaluate(text: str, scope: _Scope) -> Any:
    """One text; what variables hold may be expressions too. What only chooses among variables stays as written. Raises
    LimitError."""
    if scope.depth > _DEPTH:
        raise _ValueError(f"{quoted(text)} refers to itself", "break the circle of variables")
    variables = scope.variables
    try:
        scope.environment.work.did()
        found = _found(text, scope)
    except (LimitError, _ValueError):
        raise
    except UndefinedError as error:
        name = str(error).split("'")[1] if "'" in str(error) else ""
        raise _UndefinedError(line_of(error), _defined(name, variables)) from error
    except TemplateSyntaxError as error:
        raise _ValueError(
            f"this expression cannot be read: {line_of(error)}", "correct it, or quote {{ as {{ '{{' }}"
        ) from error
    except SecurityError as error:
        raise _ValueError(
            f"this expression does what it may not: {line_of(error)}", "keep to values and filters"
        ) from error
    except FilterError as error:
        raise _ValueError(line_of(error), error.hint or "correct it") from error
    except Exception as error:  # whatever a filter may raise
        if unknown := unknown_in(error):
            raise _ValueError(line_of(unknown), unknown.hint) from error
        raise _ValueError(f"this expression fails: {line_of(error)}", "correct it") from error
    if isinstance(found, SecretSource | Secret) and not scope.secret:
        raise _no_secret(found)
    return found


def _found(text: str, scope: _Scope) -> Any:
    expression = _read(text)
    one = alone(expression.tree)
    if one is not None:
        try:
            found = Chosen(scope.written, scope.computed).value(one)
        except (ComputedError, MissingError):
            pass
        else:
            return _ended(found, text) if isinstance(found, str) and not isinstance(found, Written) else found
    parts = scope.environment.parts(expression, scope.used_by(expression.names))
    if one is not None:  # without the line break that may follow it
        found = _settled(parts[0], scope.variables)
        return _ended(found, text) if isinstance(found, str) else found
    if len(parts) == 1:
        return _settled(parts[0], scope.variables)
    if secrets := [p for p in parts if isinstance(p, SecretSource | Secret)]:
        raise _no_secret(secrets[0])
    joined = _joined(parts, scope.variables)
    return _ended(joined[:-1], text) if text.endswith("\n") else joined


@lru_cache(maxsize=1024)
def _read(text: str) -> Expression:
    """Once for all hosts: it takes longer than all the rest."""
    return _ENVIRONMENT.bounded().read(text)


def _ended(found: str, text: str) -> str:
    """With as many line breaks at the end as the text has, as in Ansible, whoever wrote them."""
    missing = (len(text) - len(text.rstrip("\n"))) - (len(found) - len(found.rstrip("\n")))
    return found + "\n" * max(0, missing)


def _no_secret(found: SecretSource | Secret) -> _ValueError:
    if isinstance(found, SecretSource) and found.kind == "vault":
        return _ValueError(*VAULT_CLOSED.split("; "))
    return _ValueError("a secret cannot stand in an ordinary value", "use it for ansible_password only")


def _settled(value: Any, variables: Mapping[str, Any], depth: int = 0, made: list[int] | None = None) -> Any:
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
    if isinstance(value, Written | Vaulted | date):
        return value
    if isinstance(value, str):
        return str(value)  # Markup is a str
    if isinstance(value, SecretSource | Secret):
        if depth:
            raise _no_secret(value)
        return value
    if isinstance(value, Mapping):
        return {
            _settled(k, variables, depth + 1, made): _settled(v, variables, depth + 1, made) for k, v in value.items()
        }
    if isinstance(value, Iterable) and not isinstance(value, bytes | type):
        return [_settled(v, variables, depth + 1, made) for v in value]
    raise _ValueError(f"this expression yields no value but a {type(value).__name__}", "correct it")


def _joined(parts: Sequence[Any], variables: Mapping[str, Any]) -> str:
    # An `if` without `else` is empty in a text.
    plain = [None if type(p) is Undefined else _settled(p, variables) for p in parts]
    return "".join("" if p is None else str(p) for p in plain)


def evaluate_undefined(found: Undefined, variables: Mapping[str, Any]) -> NoReturn:
    name = str(found._undefined_name or "")
    raise _UndefinedError(str(found._undefined_message), _defined(name, variables) if name else "write an else")


def _defined(name: str, variables: Mapping[str, Any]) -> str:
    if name in _LOOKUPS:
        return "Ansible's lookups are not run; a secret is `!env NAME`, which group_vars can hold for an INI inventory"
    return suggest(name, variables) or "define it in the inventory or under vars"


def render_text(text: str, file: str, variables: Mapping[str, Any], reveal: Callable[[SecretSource], str]) -> str:
    """A whole file, whose text may hold secrets: `reveal` is asked for those that the variables it names hold.
    Raises ConfigError, at the line of the file."""
    texts = _TEXTS.bounded()
    try:
        scope = _Scope(variables, _ENVIRONMENT.bounded(), secret=True).used_by(
            meta.find_undeclared_variables(texts.parse(text))
        )
        code = texts.compile(text, filename=file)
        template = texts.template_class.from_code(texts, code, texts.make_globals(None))
        return template.render({name: _revealed(value, reveal) for name, value in scope.items()})
    except TemplateSyntaxError as error:
        if unknown := unknown_in(error):
            mark = Mark(file, error.lineno, _column(text, error.lineno, unknown.name))
            raise ConfigError([Diagnostic(mark, line_of(unknown), unknown.hint)]) from error
        mark = Mark(file, error.lineno, 1)
        raise ConfigError(
            [Diagnostic(mark, f"this template cannot be read: {line_of(error)}", "correct it")]
        ) from error
    except _ValueError as error:
        raise ConfigError([Diagnostic(Mark(file, 1, 1), error.message, error.hint)]) from error
    except (ConfigError, NotAskedError):
        raise
    except LimitError as error:
        raise RefusedError([Diagnostic(_place_of(error, file, text, ""), str(error), "make it smaller")]) from error
    except Exception as error:  # whatever a filter may raise
        name = str(error).split("'")[1] if isinstance(error, UndefinedError) and "'" in str(error) else ""
        mark = _place_of(error, file, text, name.rpartition(" ")[2])
        if isinstance(error, UndefinedError):
            raise ConfigError([Diagnostic(mark, line_of(error), _defined(name, variables))]) from error
        hint = error.hint if isinstance(error, FilterError) else ""
        raise ConfigError([Diagnostic(mark, f"this template fails: {line_of(error)}", hint or "correct it")]) from error


def _place_of(error: Exception, file: str, text: str, word: str) -> Mark:
    """Jinja2 gives its tracebacks the template's lines; the column is that of the word."""
    line, trace = 1, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == file:
            line = trace.tb_lineno
        trace = trace.tb_next
    return Mark(file, line, _column(text, line, word))


def _column(text: str, line: int, word: str) -> int:
    lines = text.splitlines()
    return max(1, lines[line - 1].find(word) + 1) if word and line <= len(lines) else 1


def _revealed(value: Any, reveal: Callable[[SecretSource], str]) -> Any:
    if isinstance(value, SecretSource):
        return reveal(value)
    if isinstance(value, dict):
        return {k: _revealed(v, reveal) for k, v in value.items()}
    return [_revealed(v, reveal) for v in value] if isinstance(value, list) else value


@dataclass
class _Scope:
    """What an expression may name. `known`: variables that were evaluated before, each once, as they were written."""

    variables: Mapping[str, Any]
    environment: Values
    known: dict[str, Any] = field(default_factory=dict)
    depth: int = 0
    secret: bool = False

    def used_by(self, names: Iterable[str]) -> dict[str, Any]:
        """Variables that a text names, evaluated themselves, as expressions see them."""
        return {n: meant(self._known(n)) for n in names if n in self.variables}

    def written(self, name: str) -> Any:
        """A variable as it was written. Raises MissingError."""
        if name in self.variables:
            return self._known(name)
        if name in self.environment.globals:
            raise ComputedError
        raise MissingError

    def computed(self, node: nodes.Expr) -> Any:
        tree = nodes.Template([nodes.Output([node], lineno=1)], lineno=1)
        tree.set_environment(self.environment)
        expression = Expression(self.environment, tree)
        return _settled(self.environment.parts(expression, self.used_by(expression.names))[0], self.variables)

    def _known(self, name: str) -> Any:
        if name not in self.known:
            self.known[name] = self.full(self.variables[name])
        return self.known[name]

    def full(self, value: Any) -> Any:
        if isinstance(value, Settled):
            return value
        if isinstance(value, dict):
            return {k: self.full(v) for k, v in value.items()}
        if isinstance(value, list):
            return [self.full(v) for v in value]
        return evaluate(value, replace(self, depth=self.depth + 1)) if is_template(value) else value


class Evaluated(Mapping[str, Any]):
    """Variables of another host, each evaluated when it is asked for, and once."""

    def __init__(self, variables: Mapping[str, Any]) -> None:
        self._variables = variables
        self._found: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._found:
            self._found[name] = meant(_Scope(self._variables, _ENVIRONMENT.bounded()).full(self._variables[name]))
        return self._found[name]

    def __iter__(self) -> Iterator[str]:
        return (n for n in self._variables if n != "hostvars")

    def __len__(self) -> int:
        return len(list(iter(self)))
