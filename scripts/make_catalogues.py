"""Words of the dashboard's templates → locale/*/LC_MESSAGES/dashboard.po, brought up to date, and compiled beside it.

    python -m scripts.make_catalogues

New words come in without a translation; tests/dashboard fails until each has one."""

from __future__ import annotations

import io
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

FOLDER = Path(__file__).parent.parent / "hvctl" / "dashboard"
METHODS = [("templates/**.j2", "jinja2")]
OPTIONS = {"templates/**.j2": {"trim_blocks": "true", "lstrip_blocks": "true", "silent": "false"}}


def extracted() -> Catalog:
    found = Catalog(project="hvctl", charset="utf-8")
    for file, _, message, _, _ in extract_from_dir(str(FOLDER), METHODS, OPTIONS):
        found.add(message, locations=[(Path(file).name, 0)])
    return found


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
        catalogue.update(extracted(), no_fuzzy_matching=True)
        catalogue.obsolete.clear()
        with file.open("wb") as stream:
            write_po(stream, catalogue, width=0, omit_header=False, sort_output=True, no_location=True)
        file.with_suffix(".mo").write_bytes(compiled(catalogue))


if __name__ == "__main__":
    main()
