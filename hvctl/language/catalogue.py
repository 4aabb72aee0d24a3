"""A gettext catalogue whose messages have places, matched against finished sentences.

A msgid is what stands in the source, with {} for each place of an f-string. A msgstr fills them by number: `{0}` is kept as it
is (a name, a value, a path, what a host said), `{0:t}` is a text of hvctl's own and translated too, `{0:l}` a list of such
texts, `{0:d}` a span of time; `{0:n}` is a number, `{0:p}` a path, `{0:w}` a text that
has a translation, and the msgid fits nothing else. A place that the msgstr
leaves out only inflects a word."""

from __future__ import annotations

import gettext
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from pathlib import Path
from string import Formatter

FOLDER = Path(__file__).parent / "locale"
DOMAIN = "hvctl"
_DEEPEST = 8
"""Texts within texts."""
_LONGEST = 4_000
"""Characters of a sentence; more than that is no message of hvctl's."""
_WORD = re.compile(r"[^\W\d_][\w'-]*")
_UNIT = re.compile(r"(\d+) (w|d|h|min|s)\b ?")
_OPENING = "（、。"
"""Before which Japanese has no space."""
_UNITS = {"w": "週間 ", "d": "日 ", "h": "時間 ", "min": "分 ", "s": "秒 "}
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


_PLACES = {"n": r"([\d,]+)", "d": r"(\d[\w ]*?)", "p": r"(\S*[\\/].*?)", "idle": r"([\w ]{0,20})"}
_SEEN = re.compile(r"(.*\S) (\([A-Z]\w+-\w+ finds .*\))", re.DOTALL)
"""A sentence, and what was seen instead of what it waited for."""
_MORE = r"((?:[;,:](?=\s)|[(（。]|\s\(|\s(?:in|of|from|which|and|with|beside)\s).*?|)"
"""In a place that stands at once after another one: nothing, or what begins as what goes on does."""
_FIELD = re.compile(r"([a-z_][\w.]*): (.+)", re.DOTALL)
"""Of a playbook, before what is wrong with it."""
_HALF = 6
"""Characters of what is wrong, or of what to do, that stands apart."""
_SLIGHT = 12
"""Characters of a template that says little: it holds only where its places are understood."""
_NUMBER = re.compile(r"[\d,.]+ ?\w{0,8}")
_PRONOUNS = ("it", "this", "that", "there")
_WORDS_ONLY = re.compile(r"[a-z]+(?: [a-z]+)+")
_PROSE = re.compile(r"\b(?:is|has|are|have|of|the|not|to|and|which|cannot|does|with|for|on|was)\b")
"""Words that tell a sentence from the names of an address."""
_VERB = re.compile(r"\b(?:is|has|are|have|cannot|does|was)\b")
"""Which no name has."""


@dataclass(frozen=True)
class Template:
    parts: tuple[str, ...]
    msgstr: str

    @property
    def weight(self) -> int:
        return sum(map(len, self.parts))

    @property
    def spans(self) -> bool:
        """It is a row of texts itself, which is not to be taken apart."""
        return self.weight >= _HALF and any(joint in part for part in self.parts for joint in ("; ", ", "))

    @cached_property
    def quotes(self) -> bool:
        """It ends with what a host or a library said, semicolons and all."""
        specs = {field: spec for _, field, spec, _ in Formatter().parse(self.msgstr) if field}
        last = specs.get(str(len(self.parts) - 2))
        return self.weight >= _SLIGHT and last == "" and not self.parts[-1] and self.parts[-2].endswith(": ")

    def swallows(self, text: str) -> bool:
        """Whether a place of it holds a semicolon: what follows may be a text of its own."""
        return text.count("; ") > sum(part.count("; ") for part in self.parts)

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        specs = {int(field): spec for _, field, spec, _ in Formatter().parse(self.msgstr) if field}
        made = re.escape(self.parts[0])
        after = False
        for number, part in enumerate(self.parts[1:]):
            spec = specs.get(number, "idle")
            more = not part and number + 2 < len(self.parts) and specs.get(number + 1, "idle") != "idle"
            made += _MORE if after else _PLACES.get(spec or "", "(.+?)" if more else "(.*?)")
            made += re.escape(part)
            after = more and spec != "idle"
        return re.compile(made, re.DOTALL)

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
            self._add(msgid, msgstr)
        for msgid, msgstr in messages.items():  # after all that is an entry by itself, which goes before
            if not msgid.startswith(_ADDRESS) and msgid.count("; ") == 1 and msgstr.count("。") == 1:
                self._add_halves(msgid, msgstr)
        self._said = lru_cache(20_000)(self._translated)
        self._whole_of = lru_cache(20_000)(self._exactly)

    def _add_halves(self, msgid: str, msgstr: str) -> None:
        """What is wrong and what to do, which stand apart where they are told."""
        (wrong, todo), (first, second) = msgid.split("; "), msgstr.split("。")
        places = len(literals(wrong)) - 1
        numbers = [[int(f) for _, f, _, _ in Formatter().parse(text) if f] for text in (first, second)]
        worded = all("{}" not in half or sum(map(len, literals(half))) >= _HALF for half in (wrong, todo))
        if worded and second and all(n < places for n in numbers[0]) and all(n >= places for n in numbers[1]):
            self._add(wrong, first)
            self._add(todo, re.sub(r"\{(\d+)", lambda match: f"{{{int(match[1]) - places}", second))

    def _add(self, msgid: str, msgstr: str) -> None:
        msgid = msgid.strip().removeprefix("; ")
        parts = literals(msgid)
        if len(parts) == 1:
            self._whole.setdefault(parts[0].strip(), literals(msgstr.strip())[0])
        else:
            parts[0], parts[-1] = parts[0].lstrip(), parts[-1].rstrip()
            template = Template(tuple(parts), msgstr.strip())
            self._anchored[template.anchor].append(template)

    def said(self, text: str) -> str:
        """White space around it stays; a semicolon before it becomes a full stop."""
        if len(text) > _LONGEST or not text.strip():
            return text
        return self._around(text, 0)

    def _around(self, text: str, depth: int) -> str:
        core = text.strip()
        if "\n" in core:
            return text  # no sentence, but something that is shown
        start = text.index(core)
        before, after = text[:start], text[start + len(core) :]
        if core.startswith("; "):
            found = self._said(core[2:], depth)
            return (
                f"{before}{'' if found and found[0] in _OPENING else '。'}{found}{after}" if found is not None else text
            )
        found = self._said(core, depth)
        if found is None:
            return text
        return f"{'' if before == ' ' and found[0] in _OPENING else before}{found}{after}"

    def _translated(self, text: str, depth: int) -> str | None:
        """None: it is no text of hvctl's, as far as the catalogue knows."""
        return self._whole_of(text, depth) or self._joined(text, "; ", "。", depth, 1)

    def _exactly(self, text: str, depth: int) -> str | None:
        """Not where only one of several texts in a row is known."""
        if depth > _DEEPEST:
            return None
        if (whole := self._whole.get(text)) is not None:
            return whole
        if (seen := _SEEN.fullmatch(text)) and (told := self._said(seen[1], depth + 1)) is not None:
            return f"{told}{self._said(seen[2], depth + 1) or seen[2]}"
        candidates = list(self._candidates(text))
        if (quoted := self._quoted(candidates, text, depth)) is not None:
            return quoted
        for template in candidates:
            if template.spans and (filled := self._fits(template, text, depth)) is not None:
                return (self._halved(text, depth) or filled) if template.swallows(text) else filled
        row = (
            self._joined(text, "; ", "。", depth) or self._halved(text, depth) or self._joined(text, ", ", "、", depth)
        )
        if row is not None:
            return row
        if field := _FIELD.fullmatch(text):
            told = self._whole_of(field[2], depth + 1)
            if told is not None:
                return f"{self._whole.get(f'{field[1]}:', f'{field[1]}:')} {told}"
        for template in candidates:
            if not template.spans and (filled := self._fits(template, text, depth)) is not None:
                return filled
        if (address := self._address(text)) is not None:
            return address
        if text.endswith(".") and (found := self._whole_of(text[:-1], depth + 1)) is not None:
            return found + "。"
        return None

    def _quoted(self, candidates: list[Template], text: str, depth: int) -> str | None:
        """A sentence that quotes another one with semicolons, and what to do after that."""
        if "; " not in text:
            return None
        for template in candidates:
            if template.quotes and (match := template.pattern.fullmatch(text)):
                said, _, hint = match.groups()[-1].rpartition("; ")
                known = self._whole_of(hint, depth + 1) if said else None
                values = (*match.groups()[:-1], said if known else match.groups()[-1])
                filled = self._filled(template, values, depth)
                return filled and f"{filled}。{known}" if known else filled
        return None

    def _fits(self, template: Template, text: str, depth: int) -> str | None:
        match = template.pattern.fullmatch(text)
        return self._filled(template, match.groups(), depth) if match else None

    def _candidates(self, text: str) -> Iterator[Template]:
        """The one that says most of it first."""
        words = {"", *_WORD.findall(text)}
        found = [t for word in words for t in self._anchored.get(word, ())]
        yield from sorted(found, key=lambda t: (-t.weight, len(t.parts)))

    def _filled(self, template: Template, values: tuple[str, ...], depth: int) -> str | None:
        out = []
        for text, field, spec, _ in Formatter().parse(template.msgstr):
            out.append(text)
            if field:
                value = values[int(field)]
                if spec == "w" and self._whole_of(value, depth + 1) is None:
                    return None
                named = (field == "0" and not spec and ": " in value) or "; " in value
                if template.weight < _SLIGHT and (named or self._doubtful(value.strip(), spec or "", depth)):
                    return None
                out.append(self._place(value, spec or "", depth + 1))
        return "".join(out)

    def _doubtful(self, value: str, spec: str, depth: int) -> bool:
        """Words that nobody has translated, in a sentence that says little else: half a translation is worse than none."""
        if value.rpartition(": ")[2] in _PRONOUNS:
            return True
        if not spec:
            return _VERB.search(value) is not None
        prose = spec == "t" and (_PROSE.search(value) or _WORDS_ONLY.fullmatch(value))
        return bool(prose) and self._whole_of(value, depth + 1) is None

    def _place(self, value: str, spec: str, depth: int) -> str:
        match spec:
            case "t" | "w":
                found = self._around(value, depth)
                return value if found == value and value.strip() else found.rstrip()
            case "l":
                row = self._joined(value.replace(" and ", ", "), ", ", "、", depth, 0)
                return row or self._said(value, depth) or value
            case "d":
                return _UNIT.sub(lambda match: f"{match[1]} {_UNITS[match[2]]}", value).rstrip()
            case _:
                return value

    def _address(self, text: str) -> str | None:
        """`network adapter web01, lan`: the kind in words, the names as they are."""
        words = text.split(" ")
        for count in range(min(4, len(words)), 0, -1):
            if (kind := self._kinds.get(" ".join(words[:count]))) is not None:
                names = " ".join(words[count:])
                if names.startswith("of ") and not _PROSE.search(names[3:]):
                    return f"{names[3:]} の{kind}"
                if _PROSE.search(names):
                    return None
                return f"{kind} {names}" if names else kind
        return None

    def _halved(self, text: str, depth: int) -> str | None:
        """Two texts with a semicolon between them, which may have semicolons themselves."""
        parts = text.split("; ")
        for n in range(len(parts) - 1, 0, -1):
            if not _balanced("; ".join(parts[:n])):
                continue
            second = self._whole_of("; ".join(parts[n:]), depth + 1)
            first = self._whole_of("; ".join(parts[:n]), depth + 1) if second is not None else None
            if first is not None and second is not None:
                return f"{first}{'' if second[:1] in _OPENING else '。'}{second}"
        return None

    def _joined(self, text: str, by: str, joint: str, depth: int, least: int | None = None) -> str | None:
        """Several texts in a row; all hvctl's own or numbers, or at `least` so many."""
        parts = text.split(by)
        if len(parts) == 1 or not all(map(_balanced, parts)):
            return None
        found = [self._whole_of(part, depth + 1) for part in parts]
        own = sum(one is not None for one in found)
        if least is None and not all(one or _NUMBER.fullmatch(part) for one, part in zip(found, parts, strict=True)):
            return None
        if own < (1 if least is None else least):
            return None
        told = [new or old for new, old in zip(found, parts, strict=True)]
        return "".join((joint if n and one[:1] not in _OPENING else "") + one for n, one in enumerate(told))


def _balanced(text: str) -> bool:
    """What stands in brackets is not taken apart."""
    return text.count("(") == text.count(")")


@cache
def catalogue(language: str) -> Catalogue:
    read = gettext.translation(DOMAIN, str(FOLDER), [language])
    return Catalogue({k: v for k, v in vars(read)["_catalog"].items() if isinstance(k, str)})
