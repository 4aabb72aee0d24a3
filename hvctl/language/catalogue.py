"""A gettext catalogue whose messages have places, matched against finished sentences.

A msgid is what stands in the source, with {} for each place of an f-string. A msgstr fills them by number: `{0}` is kept as it
is (a name, a value, a path, what a host said), `{0:t}` is a text of hvctl's own and translated too."""

from __future__ import annotations

import gettext
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from string import Formatter

FOLDER = Path(__file__).parent / "locale"
DOMAIN = "hvctl"
_DEEPEST = 6
"""Texts within texts."""
_LONGEST = 4_000
"""Characters of a sentence; more than that is no message of hvctl's."""
_WORD = re.compile(r"[^\W\d_][\w'-]*")
_ADDRESS = "kind: "
"""Before a kind of resource in a msgid: the first words of an address."""


def literals(template: str) -> list[str]:
    """What stands between the places of a msgid."""
    found, pending = [], ""
    for text, field, _, _ in Formatter().parse(template):
        pending += text
        if field is not None:
            found.append(pending)
            pending = ""
    return [*found, pending]


@dataclass(frozen=True)
class Template:
    parts: tuple[str, ...]
    msgstr: str

    @property
    def weight(self) -> int:
        return sum(map(len, self.parts))

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        return re.compile("(.*?)".join(map(re.escape, self.parts)), re.DOTALL)

    @property
    def anchor(self) -> str:
        """A word that every text of this template has whole; "" if none is sure to stand apart."""
        best = ""
        for number, part in enumerate(self.parts):
            for match in _WORD.finditer(part):
                apart = match.start() > 0 or number == 0
                ended = match.end() < len(part) or number == len(self.parts) - 1
                if apart and ended and len(match[0]) > len(best):
                    best = match[0]
        return best


class Catalogue:
    def __init__(self, messages: dict[str, str]) -> None:
        self._whole: dict[str, str] = {}
        self._kinds: dict[str, str] = {}
        self._anchored: dict[str, list[Template]] = defaultdict(list)
        for msgid, msgstr in messages.items():
            if not msgid or not msgstr:
                continue
            if msgid.startswith(_ADDRESS):
                self._kinds[msgid.removeprefix(_ADDRESS)] = msgstr
                continue
            parts = literals(msgid)
            if len(parts) == 1:
                self._whole[parts[0].strip()] = msgstr.strip()
            else:
                parts[0], parts[-1] = parts[0].lstrip(), parts[-1].rstrip()
                template = Template(tuple(parts), msgstr.strip())
                self._anchored[template.anchor].append(template)
        self._said = cache(self._translated)

    def said(self, text: str) -> str:
        """White space around it stays; a semicolon before it becomes a full stop."""
        if len(text) > _LONGEST or not text.strip():
            return text
        return self._around(text, 0)

    def _around(self, text: str, depth: int) -> str:
        core = text.strip()
        start = text.index(core)
        before, after = text[:start], text[start + len(core) :]
        if core.startswith("; "):
            found = self._said(core[2:], depth)
            return f"{before}。{found}{after}" if found is not None else text
        found = self._said(core, depth)
        return text if found is None else f"{before}{found}{after}"

    def _translated(self, text: str, depth: int) -> str | None:
        """None: it is no text of hvctl's, as far as the catalogue knows."""
        if depth > _DEEPEST:
            return None
        if (whole := self._whole.get(text)) is not None:
            return whole
        for template in self._candidates(text):
            if match := template.pattern.fullmatch(text):
                return self._filled(template.msgstr, match.groups(), depth)
        if (address := self._address(text)) is not None:
            return address
        if text.endswith(".") and (found := self._said(text[:-1], depth + 1)) is not None:
            return found + "。"
        return self._joined(text, "; ", "。", depth) or self._joined(text, ", ", "、", depth)

    def _candidates(self, text: str) -> Iterator[Template]:
        """The one that says most of it first."""
        words = {"", *_WORD.findall(text)}
        found = [t for word in words for t in self._anchored.get(word, ())]
        yield from sorted(found, key=lambda t: (-t.weight, len(t.parts)))

    def _filled(self, msgstr: str, values: tuple[str, ...], depth: int) -> str:
        out = []
        for text, field, spec, _ in Formatter().parse(msgstr):
            out.append(text)
            if field:
                value = values[int(field)]
                out.append(self._around(value, depth + 1) if spec == "t" and value.strip() else value)
        return "".join(out)

    def _address(self, text: str) -> str | None:
        """`network adapter web01, lan`: the kind in words, the names as they are."""
        words = text.split(" ")
        for count in range(min(4, len(words)), 0, -1):
            if (kind := self._kinds.get(" ".join(words[:count]))) is not None:
                names = " ".join(words[count:])
                return f"{kind} {names}" if names else kind
        return None

    def _joined(self, text: str, by: str, joint: str, depth: int) -> str | None:
        """Several texts in a row, of which at least one is hvctl's own."""
        parts = text.split(by)
        if len(parts) == 1:
            return None
        found = [self._said(part, depth + 1) for part in parts]
        if not any(found):
            return None
        return joint.join(new or old for new, old in zip(found, parts, strict=True))


@cache
def catalogue(language: str) -> Catalogue:
    read = gettext.translation(DOMAIN, str(FOLDER), [language])
    return Catalogue({k: v for k, v in vars(read)["_catalog"].items() if isinstance(k, str)})
