"""The rooms keep to themselves: cmdlet names stand only where knowledge of Windows belongs."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from hvctl.contract import VERSIONS, contract
from hvctl.text.visible import quoted

ROOT = Path(__file__).parent.parent / "hvctl"
ALLOWED = ("kinds", "contract", "doctor")


def _texts_of(file: Path) -> list[tuple[int, str]]:
    """Every string constant that is code, not a docstring."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    docs = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    } | {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Expr)}
    return [
        (node.lineno, node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs
    ]


def test_no_cmdlet_is_named_where_windows_is_not_known() -> None:
    names = {name.casefold() for os in VERSIONS for name in contract(os).cmdlets}
    found = []
    for file in ROOT.rglob("*.py"):
        if file.relative_to(ROOT).parts[0] in ALLOWED:
            continue
        for line, text in _texts_of(file):
            words = re.findall(r"[A-Za-z]+-[A-Za-z0-9]+", text)
            found += [f"{file.name}:{line}: {w}" for w in words if w.casefold() in names]
    assert found == []


def test_every_module_opens_with_one_line_that_says_what_it_is_for() -> None:
    silent = []
    for file in ROOT.rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        doc = ast.get_docstring(ast.parse(text))
        if text.strip() and not ((doc and doc.splitlines()[0].endswith((".", "`."))) or doc):
            silent.append(file.name)
    assert silent == []


def test_no_text_holds_a_repr() -> None:
    """Of Python's own, in which a backslash stands twice: values are told as they are written (`quoted`)."""
    found = []
    for file in ROOT.rglob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        own = {
            id(n)
            for d in ast.walk(tree)
            if isinstance(d, ast.FunctionDef) and d.name == "__repr__"
            for n in ast.walk(d)
        }
        found += [
            f"{file.name}:{node.value.lineno}"
            for node in ast.walk(tree)
            if isinstance(node, ast.FormattedValue) and node.conversion == ord("r") and id(node) not in own
        ]
    assert found == []


def test_a_value_is_quoted_as_it_is_written() -> None:
    values = ["D:\\VMs", "it's", "a\nb", True, None, 8.5, ["D:\\a"], {("a", 1): 2}]
    said = ["'D:\\VMs'", '"it\'s"', "'a\\nb'", "true", "null", "8.5", '["D:\\\\a"]', "{('a', 1): 2}"]
    assert [quoted(v) for v in values] == said
