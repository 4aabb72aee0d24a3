"""What is known of a key, as `hvctl explain` prints it."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

import yaml

from hvctl.config.loops import LOOP
from hvctl.core.fields import Instead
from hvctl.core.impact import IMPACTS
from hvctl.reference.example import example_text
from hvctl.reference.item import Item, item_named, items
from hvctl.reference.meanings import meanings
from hvctl.reference.variables import VARIABLES
from hvctl.text.diagnostic import ConfigError, Diagnostic
from hvctl.text.visible import quoted

_IMPACTS = {
    "see kind": "depends on the version of the host and the state of the VM; the plan says which",
    "VM off": "the VM must be off for it: restart, if it runs",
    "cannot be changed": "cannot be changed once it exists",
}
_CLOSE = 0.6


def explained(name: str) -> list[str]:
    """Raises ConfigError for a name that nothing has, with what may be meant."""
    asked = name.strip().strip(".")
    if not asked:
        return [*_plays(), *_listed(item for item in items() if len(item.path) == 1)]
    if asked in VARIABLES:
        return [asked, f"  {VARIABLES[asked].means}", "  a variable of the inventory: docs/inventory.md"]
    found = item_named(asked) or item_named(asked.casefold()) or _by_other_words(asked)
    if found is not None:
        return list(_told(found))
    if (line := _of_any_item(asked)) is not None:
        return line
    ends = [item for item in items() if item.name.endswith(f".{asked.casefold()}")]
    if len(ends) == 1:
        return list(_told(ends[0]))
    if ends:
        return [f"{asked} is what several keys are called:", *_listed(ends)]
    raise ConfigError([Diagnostic(None, f"no key is called {quoted(name)}", _nearest(asked))])


def names() -> list[str]:
    """All that can be explained."""
    return [*(item.name for item in items()), *VARIABLES]


def _nearest(asked: str) -> str:
    """By the whole name, then by its last word where that stands elsewhere."""
    like = difflib.get_close_matches(asked.casefold(), names(), 1, _CLOSE)
    last = asked.rpartition(".")[2].casefold()
    words = {item.path[-1] for item in items()}
    close = difflib.get_close_matches(last, words, 1, _CLOSE)
    ends = [item.name for item in items() if close and item.path[-1] == close[0]]
    best = max([*like, *ends], key=lambda n: difflib.SequenceMatcher(None, asked, n).ratio(), default="")
    return f"did you mean {best}?" if best else "hvctl explain lists the keys of a play"


def _by_other_words(asked: str) -> Item | None:
    """Of a key as others call it: vms.cpu is vms.processor.count."""
    head, _, last = asked.casefold().rpartition(".")
    above = item_named(head)
    if above is None or above.kind is None or not above.is_section:
        return None
    meant = above.kind.other_words.get(last, "")
    return item_named(f"{head}.{meant}")


def _of_any_item(asked: str) -> list[str] | None:
    """Of the keys that every resource may have beside its own."""
    head, _, last = asked.casefold().rpartition(".")
    above = item_named(head) if head else None
    common = meanings()["Item"].get(last)
    if common is None or (head and (above is None or above.kind is None or not above.is_section)):
        return None
    if last == LOOP and above is not None and above.kind is not None and not above.kind.many:
        return None
    where = "every item of a list" if last == LOOP else "every resource"
    example = yaml.safe_dump({last: common.example}, sort_keys=False, default_flow_style=None, width=110).rstrip()
    return [asked, f"  {common.text}", f"  on {where}", "", "  example", *(f"    {x}" for x in example.splitlines())]


def _told(item: Item) -> Iterator[str]:
    yield item.name
    yield from (f"  {line}" for line in item.means.splitlines())
    yield ""
    yield from (f"  {label:<9} {text}" for label, text in _facts(item) if text)
    yield ""
    yield "  example"
    yield from (f"    {line}" for line in example_text(item).splitlines())
    if item.below:
        yield ""
        yield from _listed(item.below, "  ")


def _facts(item: Item) -> Iterator[tuple[str, str]]:
    yield (
        "value",
        (
            item.value.replace("`", "").removesuffix(":").replace("mapping:;", "mapping;")
            + " (required)" * item.required
        ),
    )
    if item.path == ("allow",):
        yield "value", f"a list of {', '.join(IMPACTS[1:])}"
    yield "unit", item.unit
    yield "null", _null(item)
    if item.inner is not None:
        return  # its fields say it
    first, *more = item.impact.split(", ")
    yield "impact", ", ".join((_IMPACTS.get(first, first), *more))
    yield "from", item.versions
    yield "cmdlet", item.cmdlet
    if item.kind is not None and item.is_section and item.kind.setter:
        yield "cmdlet", item.kind.setter


def _null(item: Item) -> str:
    if item.info is None or item.null:
        return ""  # said with the value
    word = next((m.word for m in item.info.metadata if isinstance(m, Instead)), "")
    return f"refused; write {word}" if word else ""


def _plays() -> Iterator[str]:
    yield "A playbook is a list of plays. Keys of a play:"


def _listed(found: Iterator[Item] | list[Item] | tuple[Item, ...], margin: str = "  ") -> list[str]:
    listed = list(found)
    width = max(len(item.name) for item in listed)
    return [f"{margin}{item.name:<{width}}  {_first_sentence(item)}".rstrip() for item in listed]


def _first_sentence(item: Item) -> str:
    return item.means.replace("\n", " ").partition(". ")[0].removesuffix(".")
