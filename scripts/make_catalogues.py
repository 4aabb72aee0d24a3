"""Words of the dashboard's templates → locale/*/LC_MESSAGES/dashboard.po, brought up to date, and compiled beside it. The
catalogue of what hvctl prints is compiled too, and what stands in the source no more is taken out of it.

    python -m scripts.make_catalogues

New words come in without a translation; tests/dashboard fails until each has one. Sentences of plans and reports that lack one
are written down where tests/test_language.py asks for them."""

from __future__ import annotations

import io
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import typer
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir, extract_from_file
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from hvctl.cli import schedule
from hvctl.cli.anywhere import EPILOG
from hvctl.cli.app import app
from hvctl.kinds import kinds
from hvctl.language.catalogue import literals
from hvctl.metering.bill import ITEMS
from hvctl.metering.units import METERED
from hvctl.show import bill, bill_html, metering
from scripts.messages import extracted as messages

FOLDER = Path(__file__).parent.parent / "hvctl" / "dashboard"
SPEECH = FOLDER.parent / "language"
COMPOSED = frozenset(
    {
        "add adapter {} of {}", "set adapter {} of {}", "remove adapter {} of {}", "disconnect adapter {} of {}",
        "give adapter {} of the host {}", "an adapter is on it: {}", "adapters are on it: {}", "{} is undefined",
        "did you mean {}? the host has {}", "make {} of adapter {} of the host {}", "remove the half export {}",
        "remove the old export {}", "copy {}, {} bytes to {}", "copy {}, {} bytes to {} in {}",
        "{} is a role of the cluster, owned by {}: it is not gone", "{} becomes {}",
        "the disk at {} is {}, and a move keeps the names of files: it cannot become {}",
        "fail {} over without the side that sent it",
        "Compare-VM is asked only of hosts that are ready for moves: whether Hyper-V takes this one is seen when it begins",
        "add the address of the broker {}",
        "set the address of the broker {}",
        "add the network name of the broker {}",
        "set the network name of the broker {}",
        "have the network name of the broker {} come after its address",
        "initial copy goes on",
        "{} was failed over to this host, and its replication is not reversed: hvctl replica reverse {} goes on from there",
        "update of its disks goes on",
        "resynchronizing goes on",
        "forget that {} was taken down on {}",
        "without {}, which is held back: {}",
        "without {}, which are held back: {}",
        "checkpoint and smart paging", "configuration and checkpoint and smart paging",
        "{} stays: it lies where other hosts may use it, which is not seen from here",
    }
)  # fmt: skip
"""Of which the words do not stand together in the source."""
KIND = "kind: "
"""Before a kind of resource, which is the first word of an address."""
_LAID_OUT = (
    "Usage",
    "Options",
    "Commands",
    "Arguments",
    "default",
    "env var",
    "required",
    "Show this message and exit.",
)
"""What typer writes around them."""
METHODS = [("templates/**.j2", "jinja2")]
OPTIONS = {"templates/**.j2": {"trim_blocks": "true", "lstrip_blocks": "true", "silent": "false"}}


def extracted() -> Catalog:
    found = Catalog(project="hvctl", charset="utf-8")
    for file, _, message, _, _ in extract_from_dir(str(FOLDER), METHODS, OPTIONS):
        found.add(message, locations=[(Path(file).name, 0)])
    return found


def helps() -> Catalog:
    """Every text of help: of the verbs, in whole and in short, and of their options; and the words of some tables."""
    found = Catalog(project="hvctl", charset="utf-8")
    for command in commands():
        options = (getattr(p, "help", "") for p in command.params if not getattr(p, "hidden", False))
        for text in (command.help, command.get_short_help_str(1000), *options):
            if text:
                found.add(" ".join(text.split()))
    items = (text for item in ITEMS.values() for text in (item.name, item.unit))
    metered = (quantity.replace("_", " ") for quantity in METERED)
    words = (bill_html.TITLE, *bill_html.BY.values(), *(item.category for item in ITEMS.values()))
    for text in (
        *_LAID_OUT,
        EPILOG,
        *words,
        *schedule.WORDS,
        *metering.HEADS,
        *bill.HEADS,
        bill.NOBODY,
        *items,
        *metered,
    ):
        if text.strip(" ±"):
            found.add(text)
    page = SPEECH.parent / "show" / "templates" / "bill.html.j2"
    for _, message, _, _ in extract_from_file("jinja2", page, options=OPTIONS["templates/**.j2"]):
        found.add(message)
    return found


def commands(command: Any = None) -> Iterator[Any]:
    """hvctl, its verbs and theirs."""
    command = command or typer.main.get_command(app)
    yield command
    for one in getattr(command, "commands", {}).values():
        yield from commands(one)


def catalogue_of(file: Path) -> Catalog:
    with file.open("rb") as stream:
        return read_po(stream, locale=file.parent.parent.name)


def compiled(catalogue: Catalog) -> bytes:
    out = io.BytesIO()
    write_mo(out, catalogue)
    return out.getvalue()


def main() -> None:
    for file in FOLDER.glob("locale/*/LC_MESSAGES/dashboard.po"):
        catalogue = catalogue_of(file)
        made = catalogue.creation_date  # kept, so that what says the same is the same
        catalogue.update(extracted(), no_fuzzy_matching=True)
        catalogue.creation_date = made
        catalogue.obsolete.clear()
        _write(file, catalogue)
    for file in SPEECH.glob("locale/*/LC_MESSAGES/help.po"):
        catalogue = catalogue_of(file)
        made = catalogue.creation_date
        catalogue.update(helps(), no_fuzzy_matching=True)
        catalogue.creation_date = made
        catalogue.obsolete.clear()
        _write(file, catalogue)
    for file in SPEECH.glob("locale/*/LC_MESSAGES/hvctl.po"):
        catalogue = catalogue_of(file)
        for msgid in [m.id for m in catalogue if m.id and not stands(str(m.id))]:
            catalogue.delete(msgid)
        _write(file, catalogue)


def _write(file: Path, catalogue: Catalog) -> None:
    with file.open("wb") as stream:
        write_po(stream, catalogue, width=0, omit_header=False, sort_output=True, no_location=True)
    file.with_suffix(".mo").write_bytes(compiled(catalogue))


def stands(msgid: str) -> bool:
    """Whether it is in the source: as it is, or its parts, of which it is put together when hvctl runs."""
    if msgid.startswith(KIND):
        return msgid.removeprefix(KIND).replace(" ", "_") in {one.kind for one in kinds()}
    if msgid in COMPOSED or msgid.strip() in _whole():
        return True
    return all(part in _text() for part in (p.strip(" .;:,()") for p in literals(msgid)) if part)


@cache
def _whole() -> frozenset[str]:
    return frozenset(m.msgid.strip() for m in messages())


@cache
def _text() -> str:
    return "\n".join(part for m in messages() for part in literals(m.msgid))


if __name__ == "__main__":
    main()
