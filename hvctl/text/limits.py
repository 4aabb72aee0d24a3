"""How much hvctl takes of what it reads on the control node. What is beyond is refused by the limit's name and value;
docs/inventory.md lists them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limit:
    """`name` as the documentation has it."""

    name: str
    most: int
    unit: str

    def __str__(self) -> str:
        return f"{self.name}: at most {self.most:,} {self.unit}"


class LimitError(ValueError):
    """More than hvctl takes."""


FILE_SIZE = Limit("file size", 10 * 1024**2, "bytes")
"""Of an inventory, a playbook, a file of variables, a template. A megabyte of YAML takes some ten seconds."""
NESTING = Limit("nesting", 100, "levels")
ALIASED = Limit("aliased values", 100_000, "values")
"""What aliases and merges (`<<`) stand for, each time they are used."""
DIGITS = Limit("digits of a number", 100, "digits")
HOSTS = Limit("hosts of an inventory", 50_000, "hosts")
FOLDER_FILES = Limit("files of a folder", 10_000, "files")
"""That `guest_files` copy with all that is below it."""
TEMPLATE_STEPS = Limit("template steps", 300_000, "steps")
"""Loops, calls, filters, operators, and the values that filters are given, of one host and one play or template."""
TEMPLATE_SIZE = Limit("template size", 1024**2, "characters or items")
"""Of every text and list that an expression makes on its way."""
TEMPLATE_VALUES = Limit("template values", 100_000, "values")
"""Of what one expression yields."""
