"""Jinja2 with bounds: what a template may do is counted, and what it makes is measured before it is made."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from jinja2 import Environment, Undefined, nodes, pass_context
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context, LoopContext, str_join
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from hvctl.text.limits import DIGITS, TEMPLATE_SIZE, TEMPLATE_STEPS, Limit, LimitError

_WIDTH = 1000
"""Of padding and indentation."""
_CALL = 3
"""Steps, by the time it takes beside one turn of a loop."""
_LOOP, _JOIN = " loop", " join"
"""Names of filters that no template can write."""
_SHALLOW = frozenset(
    "attr batch bool combine count d default dict2items dictsort first float groupby int items items2dict last length list "
    "map mandatory max min reject rejectattr reverse select selectattr slice sort ternary unique".split()
)
"""Filters that do not make text of what is in the lists that they are given."""
_LONG_NUMBER = re.compile(r"[0-9]{4,}")
_INNER_FIELD = re.compile(r"\{[^{}]*\{")


@dataclass
class Work:
    """What the expressions of one play or template have done so far."""

    steps: int = 0

    def did(self, steps: int = 1) -> None:
        self.steps += steps
        if self.steps > TEMPLATE_STEPS.most:
            raise exceeded(TEMPLATE_STEPS)


def exceeded(limit: Limit) -> LimitError:
    return LimitError(f"this expression does too much ({limit})")


class Bounded(ImmutableSandboxedEnvironment):
    """Templates cannot change the variables, which hosts share. `bounded` gives each piece of work its own count."""

    intercepted_binops = frozenset(("+", "*", "%", "**", "-"))

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.work = Work()
        self.filters = _Filters(self.filters, self.work)
        self.globals.pop("lipsum", None)  # another text each time is no desired state

    def only(self, filters: Mapping[str, Callable[..., Any]]) -> None:
        """These filters, and no others."""
        self.filters = _Filters(filters, self.work)

    def bounded(self) -> Self:
        made: Self = self.overlay()
        made.work = Work()
        made.filters = _Filters(self.filters, made.work)
        return made

    def _generate(self, source: nodes.Template, *args: Any, **options: Any) -> str:
        return super()._generate(_Counting().visit(source), *args, **options)

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:
        __self.work.did(_CALL)
        method = getattr(__obj, "__wrapped__", __obj)
        owner = getattr(method, "__self__", None)
        if isinstance(owner, str | bytes | int):
            _fits(_size_of_method(owner, str(getattr(method, "__name__", "")), args, kwargs))
        if isinstance(__obj, LoopContext) and args:  # a recursive loop
            args = (_Filters.loop(__self.work, args[0]), *args[1:])
        return _measured(super().call(__context, __obj, *args, **kwargs))

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        self.work.did()
        _fits(_size_of_operation(operator, left, right))
        return super().call_binop(context, operator, left, right)

    def concat(self, values: Iterable[Any]) -> Any:
        return super().concat(self.within(values))

    def within(self, values: Iterable[Any]) -> list[Any]:
        """The pieces of a text, none too many."""
        found: list[Any] = []
        size = 0
        for value in values:
            size += weight(value)
            _fits(size)
            found.append(value)
        return found


class _Counting(NodeTransformer):
    """Sends loops and joined texts through filters of ours."""

    def visit_For(self, node: nodes.For) -> nodes.Node:
        self.generic_visit(node)
        node.iter = nodes.Filter(node.iter, _LOOP, [], [], None, None, lineno=node.lineno)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:
        self.generic_visit(node)
        values = nodes.List(node.nodes, lineno=node.lineno)
        return nodes.Filter(values, _JOIN, [], [], None, None, lineno=node.lineno)


class _Filters(dict[str, Callable[..., Any]]):
    """Filters that count what they do, and measure what they are given and what they give."""

    def __init__(self, filters: Mapping[str, Callable[..., Any]], work: Work) -> None:
        super().__init__(filters)
        self.work = work
        self[_LOOP], self[_JOIN] = self._loop, self._join

    def __getitem__(self, name: str) -> Callable[..., Any]:
        found = super().__getitem__(name)
        return found if name in (_LOOP, _JOIN) else self._bounded(name, found)

    def get(self, name: str, default: Any = None) -> Any:
        try:
            return self[name]
        except KeyError:
            return default

    @pass_context
    def _loop(self, context: Context, values: Iterable[Any]) -> Iterator[Any]:
        return self.loop(self.work, values)

    @staticmethod
    def loop(work: Work, values: Iterable[Any]) -> Iterator[Any]:
        for value in values:
            work.did()
            yield value

    @pass_context
    def _join(self, context: Context, values: Sequence[Any]) -> str:
        """`~`"""
        self.work.did()
        _fits(sum(weight(v) for v in values))
        return str_join(values)

    def _bounded(self, name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def bounded(*args: Any, **kwargs: Any) -> Any:
            self.work.did()
            if any(isinstance(a, Undefined) for a in (*args, *kwargs.values())):
                return work(*args, **kwargs)  # which says what is undefined, or lets it through
            given = [a for a in args if not isinstance(a, Context | nodes.EvalContext | Environment)]
            if name not in _SHALLOW:
                args = tuple(list(self.loop(self.work, a)) if isinstance(a, Iterator) else a for a in args)
                given = [a for a in args if not isinstance(a, Context | nodes.EvalContext | Environment)]
                size = sum(weight(a) for a in (*given, *kwargs.values()))
                self.work.did(size // 100)
                _fits(size)
            _fits(_size_of_filter(name, given, kwargs))
            return _measured(work(*args, **kwargs))

        bounded.__dict__.update(getattr(work, "__dict__", {}))  # what Jinja2 passes to it is marked there
        return bounded


def weight(value: Any) -> int:
    """About as many characters as the value has as text; more than the limit means only that."""
    if isinstance(value, str | bytes):
        return len(value)
    size, waiting = 0, [value]
    while waiting and size <= TEMPLATE_SIZE.most:
        one = waiting.pop()
        size += len(one) if isinstance(one, str | bytes) else 1
        if isinstance(one, Mapping):
            waiting += one.keys()
            waiting += one.values()
        elif isinstance(one, list | tuple | set | frozenset):
            waiting += one
    return size


def _fits(size: int) -> None:
    if size > TEMPLATE_SIZE.most:
        raise exceeded(TEMPLATE_SIZE)


def _measured(value: Any) -> Any:
    if isinstance(value, str | bytes | list | tuple | set | dict):
        _fits(len(value))
    elif isinstance(value, int) and value.bit_length() > DIGITS.most * 4:
        raise exceeded(DIGITS)
    return value


def _size_of_operation(operator: str, left: Any, right: Any) -> int:
    match operator, left, right:
        case "*", int(), int():
            if left.bit_length() + right.bit_length() > DIGITS.most * 4:
                raise exceeded(DIGITS)
        case "**", int(), int():
            if max(1, left.bit_length()) * abs(right) > DIGITS.most * 4:
                raise exceeded(DIGITS)
        case ("*", int(), (str() | bytes() | list() | tuple())):
            return left * len(right)
        case ("*", (str() | bytes() | list() | tuple()), int()):
            return len(left) * right
        case ("+", (str() | bytes() | list() | tuple()), (str() | bytes() | list() | tuple())):
            return len(left) + len(right)
        case "%", (str() | bytes()), _:
            return _size_of_format(left, "%", right)
    return 0


def _size_of_format(text: str | bytes, mark: str, *values: Any) -> int:
    """Every field may hold every value, and may be padded."""
    shown = text if isinstance(text, str) else text.decode("latin-1")
    if _LONG_NUMBER.search(shown) or (mark == "%" and "*" in shown) or (mark == "{" and _INNER_FIELD.search(shown)):
        raise exceeded(TEMPLATE_SIZE)
    return len(shown) + shown.count(mark) * (sum(weight(v) for v in values) + _WIDTH)


def _size_of_method(owner: Any, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> int:
    given = [*args, *kwargs.values()]
    match name:
        case "center" | "ljust" | "rjust" | "zfill" | "to_bytes":
            return max((a for a in given if isinstance(a, int)), default=0)
        case "replace":
            return _size_of_replacing(owner, given)
        case "join":
            return sum(weight(a) for a in given) + len(owner) * sum(len(a) for a in given if hasattr(a, "__len__"))
        case "format" | "format_map":
            return _size_of_format(owner, "{", *given)
        case "translate" | "maketrans" | "expandtabs":
            raise SecurityError(f"{name} is not available in templates")
    return 0


def _size_of_replacing(text: Any, given: Sequence[Any]) -> int:
    if len(given) < 2 or not all(isinstance(a, type(text)) for a in given[:2]):
        return 0
    found = text.count(given[0]) if given[0] else len(text) + 1
    return len(text) + int(found) * len(given[1])


def _size_of_filter(name: str, given: Sequence[Any], kwargs: Mapping[str, Any]) -> int:
    """`given`: what is filtered, then the arguments."""
    more = [*given[1:], *kwargs.values()]
    widest = max((a for a in more if isinstance(a, int)), default=0)
    text = str(given[0]) if given and isinstance(given[0], str | int | float) else ""
    match name:
        case "center" | "wordwrap" | "batch" | "slice" | "round" | "to_json" | "tojson" | "to_yaml" | "to_nice_json":
            return widest if widest <= _WIDTH else TEMPLATE_SIZE.most + 1
        case "indent":
            return (text.count("\n") + 1) * widest
        case "replace":
            return _size_of_replacing(text, [str(a) for a in more[:2]])
        case "regex_replace":
            return (len(text) + 1) * (1 + max((len(a) for a in more if isinstance(a, str)), default=0))
        case "join":
            values = given[0] if given and hasattr(given[0], "__len__") else ()
            return len(values) * sum(len(a) for a in more if isinstance(a, str))
        case "format":
            return _size_of_format(text, "%", *more)
    return 0
