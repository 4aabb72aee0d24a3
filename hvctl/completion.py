"""What a shell offers after Tab. It is asked at each key, so that nothing of hvctl is imported for it: the commands and their
options stand in completion.json, which `make docs` writes, and inventories are only looked through for names."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

VARIABLE = "_HVCTL_COMPLETE"
_SHELLS = ("bash", "zsh", "fish", "powershell", "pwsh")
_INVENTORIES = ("inventory.yml", "inventory.yaml", "inventory.ini", "hosts.yml", "hosts.ini", "hosts", "inventory")
_SIZE = 5_000_000
"""Bytes of a file that is looked through."""
_RANGE = re.compile(r"^(.*)\[(\d+):(\d+)\](.*)$")
_TIMER = "hvctl-drift-"
_RANGES = 500
"""Names that one range gives."""
_PARTS = {"hosts": re.compile(r"^(.*[,:&!])?([^,:&!]*)$"), "list": re.compile(r"^(.*,)?([^,]*)$")}
_LISTS = ("impacts", "vms", "reports")


def asked(environ: Mapping[str, str]) -> bool:
    """Whether a shell asks, and not who wants the script for it."""
    return environ.get(VARIABLE, "").partition("_")[::2] in (("complete", shell) for shell in _SHELLS)


def answer(environ: Mapping[str, str] = os.environ) -> tuple[str, int]:
    """What is printed, as the scripts of typer's completion take it, and the exit status."""
    shell = environ[VARIABLE].partition("_")[2]
    if shell == "bash":
        words = _split(environ.get("COMP_WORDS", ""))
        at = int(environ.get("COMP_CWORD", len(words)))
        given, incomplete = words[1:at], words[at] if at < len(words) else ""
    else:
        text = environ.get("_TYPER_COMPLETE_ARGS", "")
        given = _split(text)[1:]
        open_word = bool(given) and not text.endswith(" ")
        given, incomplete = (given[:-1], given[-1]) if open_word else (given, "")
        incomplete = environ.get("_TYPER_COMPLETE_WORD_TO_COMPLETE", incomplete)
    found = list(offered(given, incomplete))
    if shell == "zsh":
        listed = "\n".join(f'"{_zsh(word)}":"{_zsh(about)}"' if about else f'"{_zsh(word)}"' for word, about in found)
        return (f"_arguments '*: :(({listed}))'" if found else "_files"), 0
    if shell == "fish":
        if environ.get("_TYPER_COMPLETE_FISH_ACTION") == "is-args":
            return "", 0 if found else 1
        return "\n".join(f"{word}\t{about}" if about else word for word, about in found), 0
    if shell in ("powershell", "pwsh"):
        return "\n".join(f"{word}:::{about or ' '}" for word, about in found), 0
    return "\n".join(word for word, _ in found), 0


def offered(given: Sequence[str], incomplete: str) -> Iterator[tuple[str, str]]:
    """Words and what they are about. `given`: the words before."""
    line = _Line.read(given)
    option, equals, value = incomplete.partition("=")
    if incomplete.startswith("--") and equals:
        yield from ((f"{option}={word}", "") for word in line.values(line.options.get(option, ""), value))
    elif line.waiting is not None:
        yield from ((word, "") for word in line.values(line.waiting, incomplete))
    elif incomplete.startswith("-"):
        yield from ((name, "") for name in line.options if name.startswith(incomplete))
    elif line.commands:
        yield from ((name, about) for name, about in line.commands.items() if name.startswith(incomplete))
    else:
        yield from ((word, "") for word in line.values(line.argument, incomplete))


@dataclass
class _Line:
    """What was typed so far. `waiting`: the kind of value that the option before wants."""

    table: Mapping[str, Any]
    command: str = ""
    waiting: str | None = None
    inventories: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, given: Sequence[str]) -> _Line:
        table = json.loads((Path(__file__).parent / "completion.json").read_text(encoding="utf-8"))
        line = cls(table)
        option = ""
        for word in given:
            if line.waiting is not None:
                line.inventories += [word] if option in ("-i", "--inventory") else []
                line.waiting = None
            elif word.startswith("-"):
                option, equals, value = word.partition("=")
                kind = line.options.get(option, "")
                line.waiting = kind if kind and not equals else None
                line.inventories += [value] if equals and option == "--inventory" else []
            elif (name := f"{line.command} {word}".strip()) in table["commands"]:
                line.command = name
            else:
                line.files.append(word)
        return line

    @property
    def _own(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.table["commands"][self.command]
        return found

    @property
    def options(self) -> Mapping[str, str]:
        """By name, the kind of value; "" for flags."""
        return {**self._own["options"], **self.table["commands"][""]["options"]}  # hvctl's own stand after the verb too

    @property
    def commands(self) -> dict[str, str]:
        """Those that may follow, and what they do."""
        before = f"{self.command} ".lstrip()
        return {
            name.removeprefix(before): one["help"]
            for name, one in self.table["commands"].items()
            if name and name.startswith(before) and " " not in name.removeprefix(before)
        }

    @property
    def argument(self) -> str:
        return str(self._own["argument"])

    def values(self, kind: str, incomplete: str) -> Iterator[str]:
        """That begin so. Of a list, its last word is completed."""
        pattern = _PARTS.get("hosts" if kind == "hosts" else "list" if kind in _LISTS else "")
        found = pattern.match(incomplete) if pattern else None
        before, last = (found[1] or "", found[2]) if found else ("", incomplete)
        for word in dict.fromkeys(self._words(kind)):
            if word.startswith(last):
                yield before + word

    def _words(self, kind: str) -> Iterable[str]:
        match kind:
            case "hosts":
                return _names(self.inventories or _near(self.files))
            case "tags":
                return _played(self.files, "tags")
            case "vms":
                return _played(self.files, "name")
            case "schedules":
                return _schedules()
        words: Iterable[str] = self.table["words"].get(kind, ())
        return words


def _split(text: str) -> list[str]:
    lexer = shlex.shlex(text, posix=True)
    lexer.whitespace_split, lexer.commenters = True, ""
    words: list[str] = []
    try:
        words.extend(lexer)
    except ValueError:  # a quote that is not closed yet
        words.append(lexer.token)
    return words


def _zsh(text: str) -> str:
    for mark, instead in (('"', '""'), ("'", "''"), ("$", "\\$"), ("`", "\\`"), (":", "\\\\:")):
        text = text.replace(mark, instead)
    return text


# --- names in files -----------------------------------------------------------------------------------------------------


def _near(playbooks: Sequence[str]) -> list[str]:
    """As hvctl finds an inventory."""
    given = os.environ.get("HVCTL_INVENTORY")
    if given:
        return given.split(os.pathsep)
    folders = [*(Path(p).parent for p in playbooks), Path()]
    return [str(f / name) for f in folders for name in _INVENTORIES if (f / name).is_file()][:1]


def _names(sources: Iterable[str]) -> Iterator[str]:
    """Hosts and groups. What cannot be read has none: that is said when hvctl reads it."""
    for source in sources:
        path = Path(os.path.expandvars(source)).expanduser()
        files = sorted(p for p in path.iterdir() if p.is_file()) if path.is_dir() else [path]
        for file in files:
            text = _text(file)
            if file.suffix in (".yml", ".yaml", ".json"):
                yield from _groups(_loaded(text))
            else:
                yield from _ini(text)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8") if file.stat().st_size <= _SIZE else ""
    except (OSError, ValueError):
        return ""


def _loaded(text: str) -> Any:
    import yaml  # noqa: PLC0415  only where there is a file

    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
        pass

    Loader.add_multi_constructor("!", lambda loader, suffix, node: None)
    try:
        return yaml.load(text, Loader)
    except (yaml.YAMLError, ValueError, RecursionError):
        return None


def _groups(data: Any, depth: int = 0) -> Iterator[str]:
    for name, group in data.items() if isinstance(data, dict) and depth < 50 else ():
        yield str(name)
        if isinstance(group, dict):
            hosts = group.get("hosts")
            for host in hosts if isinstance(hosts, dict | list) else ():
                yield from _ranged(str(host))
            yield from _groups(group.get("children"), depth + 1)


def _ini(text: str) -> Iterator[str]:
    of_hosts = True
    for line in map(str.strip, text.splitlines()):
        if line.startswith("["):
            name, _, what = line.strip("[]").partition(":")
            of_hosts = what != "vars"
            yield name
        elif of_hosts and line and line[0] not in "#;":
            yield from _ranged(line.split()[0])


def _ranged(name: str) -> Iterator[str]:
    found = _RANGE.match(name)
    if found is None:
        yield name
        return
    first, last, width = int(found[2]), int(found[3]), len(found[2])
    for number in range(first, min(last, first + _RANGES) + 1):
        yield from _ranged(f"{found[1]}{number:0{width}}{found[4]}")


def _played(playbooks: Iterable[str], key: str) -> Iterator[str]:
    """Tags of plays and VMs, or names of VMs that hold no expression."""
    for file in playbooks:
        data = _loaded(_text(Path(file)))
        for play in data if isinstance(data, list) else ():
            vms = play.get("vms") if isinstance(play, dict) else None
            items = [i for i in vms if isinstance(i, dict)] if isinstance(vms, list) else []
            for one in (*((play,) if key == "tags" and isinstance(play, dict) else ()), *items):
                value = one.get(key)
                words = value.split(",") if isinstance(value, str) and key == "tags" else value
                for word in words if isinstance(words, list) else [words]:
                    if isinstance(word, str) and "{" not in word:
                        yield word.strip()


def _schedules() -> Iterator[str]:
    own = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "systemd" / "user"
    for folder in (own, Path("/etc/systemd/system")):
        try:
            yield from sorted(f.stem.removeprefix(_TIMER) for f in folder.glob(f"{_TIMER}*.timer"))
        except OSError:
            continue
