"""Expressions that only choose among variables, whose values therefore stay as they were written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jinja2 import nodes

from hvctl.text.scalars import meant


class ComputedError(Exception):
    """The expression makes a new value."""


class MissingError(Exception):
    """What the expression names is not there."""


class Chosen:
    """`{{ wanted }}`, `{{ vm.state }}`, `{{ states[name] }}`, `{{ a | default(b) }}`, `{{ a if test else b }}`, `{{ test |
    ternary(a, b) }}`: a variable alone, or one of several. `variable` gives its value as written, or raises
    MissingError; `compute` evaluates what decides."""

    def __init__(self, variable: Callable[[str], Any], compute: Callable[[nodes.Expr], Any]) -> None:
        self._variable, self._compute = variable, compute

    def value(self, node: nodes.Node) -> Any:
        """Raises ComputedError or MissingError."""
        match node:
            case nodes.Const():
                return node.value
            case nodes.Name():
                return self._variable(node.name)
            case nodes.Getattr():
                return _part(self.value(node.node), node.attr, attribute_first=True)
            case nodes.Getitem():
                return _part(self.value(node.node), self._meaning(node.arg), attribute_first=False)
            case nodes.CondExpr(expr2=nodes.Expr() as otherwise):
                return self.value(node.expr1 if self._meaning(node.test) else otherwise)
            case nodes.Filter(dyn_args=None, dyn_kwargs=None, node=nodes.Expr() as subject):
                return self._filtered(node.name.removeprefix("ansible.builtin."), subject, _arguments(node))
        raise ComputedError

    def _filtered(self, name: str, subject: nodes.Expr, args: list[nodes.Expr]) -> Any:
        match name, args:
            case (("default" | "d"), [_] | [_, _]):
                return self._default(subject, *args)
            case "mandatory", []:
                return self.value(subject)
            case "ternary", [first, second]:
                return self.value(first if self._meaning(subject) else second)
        raise ComputedError

    def _default(self, subject: nodes.Expr, default: nodes.Expr, if_false: nodes.Expr | None = None) -> Any:
        try:
            found = self.value(subject)
        except MissingError:
            return self.value(default)
        if if_false is not None and self._meaning(if_false) and not meant(found):
            return self.value(default)
        return found

    def _meaning(self, node: nodes.Expr) -> Any:
        try:
            return meant(self.value(node))
        except ComputedError:
            try:
                return self._compute(node)
            except Exception as error:  # told by the evaluation of the whole
                raise ComputedError from error
        except MissingError as error:
            raise ComputedError from error


_NAMES = ("default_value", "boolean")


def _arguments(node: nodes.Filter) -> list[nodes.Expr]:
    """Those of default may be named. Raises ComputedError for other names."""
    pairs: list[nodes.Keyword] = list(node.kwargs)  # type: ignore[arg-type]  # Jinja2's own annotation is of pairs
    given = {k.key: k.value for k in pairs}
    names = _NAMES[len(node.args) :]
    if not given.keys() <= set(names) or ("boolean" in given and "default_value" in names and len(given) == 1):
        raise ComputedError
    return [*node.args, *(given[n] for n in names if n in given)]


def _part(whole: Any, name: Any, *, attribute_first: bool) -> Any:
    if isinstance(whole, list) and isinstance(name, int) and not attribute_first:
        if -len(whole) <= name < len(whole):
            return whole[name]
        raise MissingError
    if not isinstance(whole, dict) or (attribute_first and hasattr(whole, name)):
        raise ComputedError  # a method, or a part of a text
    parts = {meant(k): v for k, v in whole.items()}
    try:
        return parts[name]
    except KeyError as error:
        raise MissingError from error
    except TypeError as error:
        raise ComputedError from error
