"""The texts of help and the words of some tables, in the reader's language: a catalogue of its own, which is matched as a whole
and not read where that is English."""

from __future__ import annotations

import gettext
from functools import cache
from pathlib import Path

from hvctl.language import spoken

FOLDER = Path(__file__).parent / "locale"
DOMAIN = "help"


def helped(text: str) -> str:
    """One whole text, however its lines are broken."""
    language, text = spoken(), " ".join(text.split())
    return text if language == "en" or not text else _catalogue(language).gettext(text)


@cache
def _catalogue(language: str) -> gettext.NullTranslations:
    return gettext.translation(DOMAIN, str(FOLDER), [language])
