"""Jinja2 as Ansible sets it up: what is undefined, which filters there are, what a backslash is."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import CodeType
from typing import Any

from jinja2 import StrictUndefined, meta, nodes, pass_context
from jinja2.nativetypes import NativeEnvironment
from jinja2.runtime import Context

from hvctl.call import Secret
from hvctl.config.filter_error import FilterError
from hvctl.config.filters import FILTERS, TESTS
from hvctl.config.sandbox import Bounded
from hvctl.kinds._avma_keys import NoSuchKeyError, avma_key
from hvctl.text.source import SecretSource, suggest
from hvctl.text.visible import quoted

_NO_NAME = re.compile(r"No (filter|test) named '([^']*)'")


class Missing(StrictUndefined):
    """An error as soon as it is used; a part of it is as undefined, so that `{{ a.b.c | default(5) }}` has a value."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __getitem__(self, name: Any) -> Any:
        return self


def _shown(value: Any) -> Any:
    if isinstance(value, SecretSource | Secret):
        raise TypeError("a secret of elsewhere cannot be written")
    return "" if value is None else value


@pass_context
def _native(context: Context, value: Any) -> Any:
    """Jinja2 writes constants (`{{ 2 + 2 }}`) into the compiled template as text, unless a context is asked for."""
    return value


def _with_prefix(table: Mapping[str, Any]) -> dict[str, Any]:
    return {**table, **{f"ansible.{'utils' if n == 'ipaddr' else 'builtin'}.{n}": v for n, v in table.items()}}


def _avma_key(version: Any, edition: Any = "datacenter") -> str:
    """For answer files and files in guests: no secret (docs/avma.md)."""
    try:
        return avma_key(version, edition)
    except NoSuchKeyError as error:
        raise FilterError(str(error), error.hint) from error


FUNCTIONS = {"avma_key": _avma_key}
"""Beside Jinja2's own."""


class Values(Bounded, NativeEnvironment):
    """For values: native results; each filter does what Ansible's does, and there are no others."""

    def __init__(self) -> None:
        super().__init__(undefined=Missing, keep_trailing_newline=True, finalize=_native)
        self.only(_with_prefix(FILTERS))
        self.tests = _with_prefix(TESTS)
        self.globals.update(FUNCTIONS)

    def read(self, text: str) -> Expression:
        """Raises TemplateSyntaxError, or FilterError for a name that is unknown, in branches that are not taken too."""
        tree = self.parse(self._with_backslashes(text))
        for node in tree.find_all((nodes.Filter, nodes.Test)):
            if isinstance(node, nodes.Filter) and node.name not in self.filters:
                raise _unknown("filter", node.name)
            if isinstance(node, nodes.Test) and node.name not in self.tests:
                raise _unknown("test", node.name)
        return Expression(self, tree)

    def parts(self, expression: Expression, variables: Mapping[str, Any]) -> list[Any]:
        template = self.template_class.from_code(self, expression.code, self.make_globals(None))
        return self.within(template.root_render_func(template.new_context(dict(variables))))

    def _with_backslashes(self, text: str) -> str:
        """A backslash in a quoted text of `{{ }}` stands for itself, as in Ansible: '\\1' is a group of a match."""
        if "\\" not in text:
            return text
        parts: list[str] = []
        within = False
        for _, kind, part in self.lex(text):
            within = kind == "variable_begin" or (within and kind != "variable_end")
            parts.append(part.replace("\\", "\\\\") if within and kind == "string" else part)
        return "".join(parts)


@dataclass
class Expression:
    """A text as Jinja2 reads it. It is compiled once, whichever host it is evaluated for."""

    environment: Values
    tree: nodes.Template

    @cached_property
    def names(self) -> Collection[str]:
        """The variables that it names."""
        return meta.find_undeclared_variables(self.tree)

    @cached_property
    def code(self) -> CodeType:
        return self.environment.compile(self.tree)


def texts() -> Bounded:
    """For whole files: as Ansible's template has it, a block leaves no empty line; with Jinja2's other filters too."""
    made = Bounded(undefined=Missing, keep_trailing_newline=True, trim_blocks=True, finalize=_shown)
    made.filters.update(_with_prefix(FILTERS))
    made.tests.update(_with_prefix(TESTS))
    made.globals.update(FUNCTIONS)
    return made


def alone(tree: nodes.Template) -> nodes.Expr | None:
    """The expression that is the whole text; a folded or literal block of YAML ends it with a line break."""
    match tree.body:
        case [nodes.Output(nodes=[nodes.Expr() as one, *rest])] if not isinstance(one, nodes.TemplateData):
            only = not rest or (len(rest) == 1 and isinstance(rest[0], nodes.TemplateData) and rest[0].data == "\n")
            return one if only else None
    return None


def unknown_in(error: Exception) -> FilterError | None:
    """The name that was unknown, where it was made at run time or Jinja2 found it: `map('upper')`."""
    found = _NO_NAME.search(str(error))
    return _unknown(found[1], found[2]) if found else None


def _unknown(kind: str, name: str) -> FilterError:
    known = FILTERS if kind == "filter" else TESTS
    hint = suggest(name.removeprefix("ansible.builtin."), known) or f"known are {', '.join(sorted(known))}"
    return FilterError(f"{quoted(name)} is not a {kind} that hvctl has", hint, name)
