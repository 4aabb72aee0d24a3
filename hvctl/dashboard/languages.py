"""Words of the pages in the reader's language: gettext catalogues beside this file (locale/*/LC_MESSAGES/dashboard.po)."""

from __future__ import annotations

import gettext
from functools import cache
from pathlib import Path

LANGUAGES = ("en", "ja")
_FOLDER = Path(__file__).parent / "locale"


@cache
def catalogue(language: str) -> gettext.NullTranslations:
    """English is what stands in the templates."""
    return gettext.translation("dashboard", str(_FOLDER), [language], fallback=language == "en")


def preferred(header: str) -> str:
    """Of an Accept-Language header: the language that we have and the reader would rather read."""
    ranked: list[tuple[float, int, str]] = []
    for place, part in enumerate(header.split(",")[:20]):
        tag, _, rest = part.strip().partition(";")
        weight = rest.strip().removeprefix("q=") if rest else "1"
        try:
            ranked.append((-float(weight), place, tag.strip().casefold().partition("-")[0]))
        except ValueError:
            continue
    return next((tag for _, _, tag in sorted(ranked) if tag in LANGUAGES), "en")
