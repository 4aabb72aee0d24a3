"""The language that people are spoken to in. Programs are always answered in English: JSON, JUnit, metrics, exit status.

Sentences are made in English where they arise; `said` puts them into the reader's language where they are laid out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

LANGUAGES = ("en", "ja")
Say = Callable[[str], str]


def _as_it_is(text: str) -> str:
    return text


class _Speech:
    """As the locale of a process: one for all that it prints. Catalogues are loaded for another language than English."""

    language = "en"
    say: Say = staticmethod(_as_it_is)


def said(text: str) -> str:
    """A text of hvctl's own, in the language of the reader; as it is where there is no translation of it."""
    return _Speech.say(text)


def listing(texts: Iterable[str]) -> str:
    """Texts that are in the reader's language already, with a comma between them."""
    return ("、" if _Speech.language == "ja" else ", ").join(texts)


def sentences(*texts: str) -> str:
    """Such texts as one sentence, with a semicolon where English has one."""
    return "。".join(texts) + "。" if _Speech.language == "ja" else "; ".join(texts) + "."


def advised(wrong: str, hint: str) -> str:
    """What is wrong, and what to do."""
    return f"{wrong}。{hint}" if _Speech.language == "ja" else f"{wrong}; {hint}"


def stretch(first: str, last: str) -> str:
    """From one moment to another."""
    return f"{first} ～ {last}" if _Speech.language == "ja" else f"{first} to {last}"


def placed(what: str, where: str) -> str:
    """Something on a host, by their names."""
    return f"{what}（{where}）" if _Speech.language == "ja" else f"{what} on {where}"


def spoken() -> str:
    """The language of the reader."""
    return _Speech.language


def speak(language: str) -> None:
    """From now on. Raises ValueError for a language that hvctl does not know."""
    _Speech.language, _Speech.say = language, staticmethod(saying(language))


def saying(language: str) -> Say:
    """As `said`, for one of several readers at a time. Raises ValueError for a language that hvctl does not know."""
    if language not in LANGUAGES:
        raise ValueError(language)
    if language == "en":
        return _as_it_is
    from hvctl.language.catalogue import catalogue  # noqa: PLC0415

    return catalogue(language).said


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """For the time of a command."""
    before = _Speech.language
    speak(language)
    try:
        yield
    finally:
        speak(before)


def of_environment(environ: Mapping[str, str]) -> str:
    """HVCTL_LANG, or what the locale says that decides for messages; English where hvctl does not know that language."""
    found = next((v for name in ("HVCTL_LANG", "LC_ALL", "LC_MESSAGES", "LANG") if (v := environ.get(name))), "")
    return known(found) or "en"


def known(name: str) -> str:
    """Of `ja`, `ja_JP.UTF-8`, `ja-JP`; "" for a language that hvctl does not know."""
    tag = name.replace("-", "_").partition("_")[0].partition(".")[0].casefold()
    return tag if tag in LANGUAGES else ""
