"""Plays → resources: which hosts, which variables, which wishes; with the place of everything."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from inspect import getattr_static
from pathlib import Path as File
from typing import Any

from hvctl.call import Secret
from hvctl.config.accepting import accepted
from hvctl.config.controlnode import ControlNode
from hvctl.config.layers import layered
from hvctl.config.loops import places_of, unrolled, varies
from hvctl.config.overlay import NOTHING, Overlay
from hvctl.config.patterns import words
from hvctl.config.salvage import Made, made_once
from hvctl.config.secrets import Ask, resolve
from hvctl.config.selection import narrowed
from hvctl.config.vault import Vault, is_vault
from hvctl.core.acceptance import KEY as ACCEPT
from hvctl.core.acceptance import Acceptance
from hvctl.core.impact import IMPACTS, Impact
from hvctl.core.resource import Entries, Entry, Index, Place, Resource
from hvctl.core.serial import AtOnce, Serial
from hvctl.kinds import sections
from hvctl.text.diagnostic import ConfigError, Diagnostic, Mark, RefusedError, UndefinedDiagnostic
from hvctl.text.source import Document, PartlyReadError, Path, load, suggest
from hvctl.text.visible import quoted
from hvctl.text.width import half_width, half_width_key

_NOTHING: Mapping[str, Any] = {}
_OTHER_WORDS = {
    **dict.fromkeys(("virtual_machines", "machines", "guests"), "vms"),
    **dict.fromkeys(("virtual_switches", "vswitches", "networks"), "switches"),
    **dict.fromkeys(("variables", "variable"), "vars"),
    **dict.fromkeys(("vnics", "management_adapters"), "host_network_adapters"),
    **dict.fromkeys(("consent", "allowed"), "allow"),
    **dict.fromkeys(("max_restarts", "throttle"), "restarts_at_once"),
    **dict.fromkeys(("hyperv", "vmhost", "settings"), "host"),
}
"""What others call the keys of a play."""
_PLAY_KEYS = ("name", "hosts", "vars", "vars_files", "tags", "allow", "serial", "restarts_at_once")


_OF_A_GROUP = {"hosts", "children", "vars"}
"""Keys of a group of an inventory."""


@dataclass(frozen=True)
class Play:
    """One play as written; its wishes are made per host, since values may hold variables. `unsure`: there may be more
    variables than could be read. `partial`: plays beside it were left out, so that nothing can be said of what none lists.
    `picked`: the numbers of its VMs that alone are meant; None: all of it is. `members`: the hosts that it is for;
    `left_out`: those of them that the run leaves out."""

    document: Document
    path: Path
    name: str
    hosts: str
    variables: Mapping[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    allow: frozenset[Impact] = frozenset()
    marks: Mapping[str, Mark] = field(default_factory=dict)
    unsure: bool = False
    serial: Serial | None = None
    at_once: AtOnce | None = None
    partial: bool = False
    picked: frozenset[int] | None = None
    members: tuple[str, ...] = ()
    left_out: frozenset[str] = frozenset()

    @property
    def folder(self) -> File:
        return File(self.document.file).parent

    @property
    def body(self) -> dict[str, Any]:
        data = _at(self.document.data, self.path)
        hidden = (*_PLAY_KEYS, "exclusive") if self.partial else _PLAY_KEYS
        body = {key: value for key, value in data.items() if key not in hidden}
        return body if self.picked is None else narrowed(body, self.picked)


def read_playbook(file: str | File, vault: Vault | None = None) -> tuple[list[Play], list[Diagnostic]]:
    """The plays whose wishes can be looked at, and what is wrong with the plays themselves. Raises ConfigError for a
    file that is no playbook."""
    vault = vault or Vault()
    problems: list[Diagnostic] = []
    try:
        document = vault.opened(load(file))
    except PartlyReadError as error:
        document, problems = vault.opened(error.document), [*error.problems]
    if isinstance(document.data, str) and is_vault(document.data):
        hint = "decrypt it, and keep what is secret in vars_files or group_vars"
        raise ConfigError([Diagnostic(document.mark(()), "an encrypted playbook is not read", hint)])
    if not isinstance(document.data, list):
        raise ConfigError([*problems, _no_playbook(document)])
    plays = [p for n, data in enumerate(document.data) if (p := _play(document, n, data, vault, problems))]
    return plays, problems


def _no_playbook(document: Document) -> Diagnostic:
    groups = document.data if isinstance(document.data, dict) else {}
    found = [one for one in groups.values() if one is not None]
    if found and all(isinstance(one, dict) and one.keys() & _OF_A_GROUP for one in found):
        hint = f"give it with -i {document.file}, and only playbooks after the verb"
        return Diagnostic(document.mark(()), "this is an inventory and not a playbook", hint)
    hint = "begin with `- name: …` and `  hosts: …`"
    return Diagnostic(document.mark(()), "a playbook is a list of plays", hint)


def _play(document: Document, number: int, data: Any, vault: Vault, problems: list[Diagnostic]) -> Play | None:
    path: Path = (number,)
    if not isinstance(data, dict):
        hint = "write its keys as `key: value`"
        if isinstance(data, str) and (half := half_width(data)):
            hint = f"write {half} in half-width characters"
        problems.append(Diagnostic(document.mark(path), "a play is a mapping", hint))
        return None
    known = (*_PLAY_KEYS, *sections(None))
    for key in data:
        if key not in known:
            place = document.key_marks.get((*path, key))
            half = half_width_key(str(key))
            problems.append(
                Diagnostic(
                    place,
                    f"unknown key {quoted(key)} in a play",
                    (f"write {half} in half-width characters" if half else "")
                    or suggest(_OTHER_WORDS.get(str(key).casefold(), str(key)), known)
                    or f"known are {', '.join(known)}",
                )
            )
    hosts = _text(
        data.get("hosts"),
        document,
        (*path, "hosts"),
        "hosts is a pattern, such as all or lab:&tokyo",
        problems,
    )
    allow = _words(data.get("allow", []), document, (*path, "allow"), problems)
    for word in allow:
        if word not in IMPACTS[1:]:
            problems.append(
                Diagnostic(
                    document.mark((*path, "allow")),
                    f"{quoted(word)} is nothing that can be allowed",
                    suggest(word, IMPACTS[1:]) or f"one of {', '.join(IMPACTS[1:])}",
                )
            )
    variables = data.get("vars") or {}
    if not isinstance(variables, dict):
        problems.append(Diagnostic(document.mark((*path, "vars")), "vars is a mapping", "write `name: value` below it"))
        variables = {}
    marks = {str(k): document.mark((*path, "vars", k)) for k in variables}
    files, unsure = _vars_files(document, path, data, vault, problems)
    given = Overlay(variables, marks).under(files)  # Ansible's order
    tags = _words(data.get("tags", []), document, (*path, "tags"), problems)
    allowed: frozenset[Impact] = frozenset(i for i in IMPACTS if i in allow)
    name = str(data.get("name") or hosts)
    serial = _serial(document, path, data, problems)
    at_once = _at_once(document, path, data, problems)
    return Play(
        document,
        path,
        name,
        hosts,
        given.values,
        tuple(tags),
        allowed,
        given.marks,
        unsure,
        serial=serial,
        at_once=at_once,
    )


def _serial(document: Document, path: Path, data: Mapping[str, Any], problems: list[Diagnostic]) -> Serial | None:
    value = data.get("serial")
    if value is None:
        return None
    place = document.mark((*path, "serial"))
    try:
        return Serial.of_words(value if isinstance(value, list) else [value], str(place))
    except ValueError as error:
        half = half_width(value) if isinstance(value, str) else ""
        hint = f"write {half} in half-width characters" if half else "write such as 2, 10% or [1, 10%, 100%]"
        problems.append(Diagnostic(place, f"serial: {error}", hint))
        return None


def _at_once(document: Document, path: Path, data: Mapping[str, Any], problems: list[Diagnostic]) -> AtOnce | None:
    """A number is that of the play."""
    value, key = data.get("restarts_at_once"), "restarts_at_once"
    if value is None:
        return None
    written = value if isinstance(value, dict) else {"play": value}
    found: dict[str, int] = {}
    for scope, most in written.items():
        place = document.mark((*path, key, scope) if isinstance(value, dict) else (*path, key))
        if scope not in ("play", "cluster"):
            hint = suggest(str(scope), ("play", "cluster")) or "known are play, cluster"
            problems.append(Diagnostic(place, f"unknown key {quoted(scope)} in {key}", hint))
        elif not isinstance(most, int) or isinstance(most, bool) or most < 1:
            text = half_width(most) if isinstance(most, str) else ""
            hint = f"write {text} in half-width characters" if text else "write such as 1 or {play: 4, cluster: 1}"
            problems.append(Diagnostic(place, "restarts_at_once is a number of hosts, 1 or more", hint))
        else:
            found[scope] = most
    if not written:
        problems.append(
            Diagnostic(document.mark((*path, key)), f"{key} is empty", "write such as {play: 4, cluster: 1}")
        )
    return AtOnce(found.get("play"), found.get("cluster"), str(document.mark((*path, key)))) if found else None


def _vars_files(
    document: Document, path: Path, data: Any, vault: Vault, problems: list[Diagnostic]
) -> tuple[Overlay, bool]:
    """And whether there may be more in them than could be read."""
    found, unsure = NOTHING, False
    for n, name in enumerate(_words(data.get("vars_files", []), document, (*path, "vars_files"), problems)):
        try:
            loaded = vault.load(File(document.file).parent / name)[0]
        except PartlyReadError as error:
            problems += error.problems
            loaded, unsure = error.document, unsure or bool(error.document.unread)
        except ConfigError as error:
            place = document.mark((*path, "vars_files", n))
            problems += [p if p.mark else replace(p, mark=place) for p in error.problems]
            unsure = True
            continue
        if isinstance(loaded.data, dict):
            data_read = {k: v for k, v in loaded.data.items() if not loaded.lacks((k,), v)}
            found = found.under(Overlay(data_read, {str(k): loaded.mark((k,)) for k in data_read}))
        elif loaded.data is not None:
            problems.append(
                Diagnostic(
                    document.mark((*path, "vars_files", n)),
                    f"{name} is no mapping of variables",
                    "write `name: value` lines",
                )
            )
            unsure = True
    return found, unsure


def wishes(
    plays: Iterable[Play],
    variables: Mapping[str, Any],
    learn: Callable[[Secret], None] = lambda secret: None,
    trees: tuple[File, ...] = (),
    ask: Ask = resolve,
    host: str = "",
    together: str = "",
    made: Made | None = None,
) -> tuple[Index, list[Diagnostic]]:
    """What these plays want of one host, and everything wrong with it. `learn` hears of secrets that
    are used, `ask` gets them. `trees`: folders whose files need not be named in full, beside the playbook's own. `made`: what
    was made for other hosts of these plays."""
    made, plays = made or Made(), tuple(plays)
    alike = _alike(plays, made)
    if alike is not None and (whole := made.wholes.get(alike)) is not None:
        return Index(whole[0], host, together), [*whole[1]]
    entries: list[Entry] = []
    problems: list[Diagnostic] = []
    alone = False
    for play in plays:
        known = {**variables, **play.variables}
        data, unclear = unrolled(play.body, known, play.document, play.path)
        wrong: list[Diagnostic] = []
        shelf = ControlNode(play.folder, known, learn, trees, ask)
        # What has no value cannot be right: that it is missing is said once, by its expression.
        places = frozenset(p.mark for p in unclear if p.mark) | play.document.unread
        if play.unsure:
            unclear = [p for p in unclear if not isinstance(p, UndefinedDiagnostic)]
        maker = _Maker(play, data, wrong, shelf, entries, places, host, made)
        for section, kind in sections(None).items():
            if section in data:
                maker.section(kind, data[section], (*play.path, section), None)
        problems += [*unclear, *(p for p in wrong if p.mark not in places)]
        alone |= maker.alone
    layers, contradictions = layered(entries)
    entered = Entries(map(made.once, layers))
    sound = made.sound(entered)
    found = Index(sound or entered, host, together)
    if contradictions or sound is None:
        twice = list(written_twice(found))
        if not twice:
            made.found_sound(found.entries)
        problems += [*contradictions, *twice]
    if alike is not None and not alone:
        made.wholes[alike] = found.entries, [*problems]
    return found, problems


def _alike(plays: Sequence[Play], made: Made) -> tuple[Any, ...] | None:
    """The same for hosts on which these plays say the same, as long as nothing in them is of one host alone; None where values
    are made of variables."""
    for play in plays:
        at = (id(play.document), play.path, play.partial, play.picked)
        if at not in made.varying:
            made.varying[at] = varies(play.body)
        if made.varying[at]:
            return None
    # Documents and the hosts of a play are the same objects for all of its hosts.
    return tuple(
        (id(p.document), p.path, p.allow, id(p.members), p.left_out, p.partial, p.picked, p.unsure) for p in plays
    )


@dataclass
class _Maker:
    """Makes the resources of one play, adds them to the entries, and collects what is wrong."""

    play: Play
    data: Any
    problems: list[Diagnostic]
    shelf: ControlNode
    entries: list[Entry]
    unclear: frozenset[Mark] = frozenset()
    host: str = ""
    made: Made = field(default_factory=Made)
    alone: bool = False
    """Whether something of it is of one host alone: it is on one of several, or files and variables are read for it."""

    def section(
        self, kind: type[Resource], data: Any, path: Path, owner: int | None, around: Mapping[str, Any] = _NOTHING
    ) -> None:
        """`owner`: its entry's number; None also where what is known by its name cannot be made. `around`: what the
        section stands in, as written."""
        if not kind.many:
            self.resource(kind, data, path, owner, around)
        elif data is not None and not isinstance(data, list):
            self.wrong(path, f"{kind.section} is a list", "begin each with `- `")
        else:
            left = self.play.picked if len(path) == len(self.play.path) + 1 else None
            for n, item in zip(places_of(data or []), data or (), strict=True):
                if left is not None and n not in left:
                    continue
                self.resource(kind, item, (*path, n), owner, around)

    def resource(
        self, kind: type[Resource], data: Any, path: Path, owner: int | None, around: Mapping[str, Any]
    ) -> None:
        if kind.shorthand and isinstance(data, str):
            data = {kind.shorthand: data}
        if not isinstance(data, dict):
            self.wrong(path, f"{kind.kind} is a mapping", "write its fields as `field: value`")
            return
        inner = sections(kind.kind)
        beneath = {name: part for name, part in sections(None).items() if name in kind.beneath}
        own = {key: value for key, value in data.items() if key not in inner and key not in beneath and key != ACCEPT}
        # Of what only holds what stands by itself, as `cluster: {vms: …}` of a second play, there is nothing twice.
        again = beneath and not own and any(type(e.resource) is kind for e in self.entries)
        made, left_out, problems = (None, frozenset(), []) if again else self.salvaged(kind, own, path)
        where = made.only_on(self.play.members) if made is not None else ""
        self.alone |= bool(where) or getattr_static(kind, "spread") is not getattr_static(Resource, "spread")
        if made is not None and where:
            self.tell_left_out(made, where, path)
            if where != self.host:
                return  # its faults are told where it is wanted
        self.problems += problems
        accept, problems = accepted(kind, data, self.play.document, path, self.unclear) if ACCEPT in data else ((), [])
        self.problems += problems
        number = self.spread(made, left_out, path, owner, around, accept) if made is not None else None
        for section, part in inner.items():
            if section in data:
                self.section(part, data[section], (*path, section), number, data)
        for section, part in beneath.items():
            if section in data:
                self.section(part, _completed(data[section], kind.beneath[section]), (*path, section), None)

    def salvaged(
        self, kind: type[Resource], own: Mapping[str, Any], path: Path
    ) -> tuple[Resource | None, frozenset[str], list[Diagnostic]]:
        return made_once(kind, own, self.play.document, path, self.unclear, self.made)

    def spread(
        self,
        made: Resource,
        left_out: frozenset[str],
        path: Path,
        owner: int | None,
        around: Mapping[str, Any],
        accept: tuple[Acceptance, ...] = (),
    ) -> int | None:
        """The number of the first entry that it gives."""
        number = len(self.entries)
        try:
            found = list(made.spread(made, self.shelf, self.place(path), around))
        except RefusedError:
            raise
        except ConfigError as error:
            self.problems += error.problems
            return None
        self.entries += [replace(entry, owner=owner, left_out=left_out, accept=accept) for entry in found]
        return number if found else None

    def tell_left_out(self, made: Resource, where: str, path: Path) -> None:
        """What is wanted on one host of the play, in a run that leaves hosts of it out."""
        left_out = [host for host in self.play.members if host in self.play.left_out]
        if where in left_out:
            told = f"is wanted on {where}, which this run leaves out: nothing of it is planned"
        elif left_out:
            told = f"may be on {', '.join(left_out)}, which this run leaves out: it is not moved from there, nor made"
        else:
            return
        place, hint = self.play.document.mark(path), "run hvctl for all hosts of the play"
        self.problems.append(Diagnostic(place, f"{made.kind} {made.key()} {told}", hint, "warning"))

    def place(self, path: Path) -> Place:
        return Place(self.play.document, path, self.play.allow, self.play.members, self.play.left_out)

    def wrong(self, path: Path, message: str, hint: str) -> None:
        self.problems.append(Diagnostic(self.play.document.mark(path), message, hint))


def _completed(items: Any, with_what: Mapping[str, Any]) -> Any:
    """A list, its items with what they do not say themselves."""
    if not isinstance(items, list):
        return items
    return [{**with_what, **item} if isinstance(item, dict) else item for item in items]


def written_twice(found: Sequence[Resource]) -> Iterator[Diagnostic]:
    seen: dict[tuple[object, ...], Resource] = {}
    for wish in found:
        if wish.unnamed or (wish.owner is None and wish.within is not None):
            continue  # it, or its owner, is wrong already
        above = id(wish.owner) if wish.owner and wish.owner.unnamed else 0
        address = (above, *(part.casefold() for part in wish.address().words))
        if address in seen:
            here, there = wish.place.mark(), seen[address].place.mark()
            if here == there:
                hint = "use `item` in what it is known by, so that each turn of the loop makes another one"
                yield Diagnostic(here, f"the loop makes {wish.address()} twice", hint)
            else:
                hint = f"the other is at {there}; write it once"
                yield Diagnostic(here, f"{wish.address()} is wanted twice", hint)
        else:
            seen[address] = wish


def _at(data: Any, path: Path) -> Any:
    for part in path:
        data = data[part]
    return data


def _text(value: Any, document: Document, path: Path, what: str, problems: list[Diagnostic]) -> str:
    if isinstance(value, str) and value.strip():
        return value
    if isinstance(value, list) and all(isinstance(v, str) for v in value) and value:
        return ",".join(word for item in value for word in words(item))
    problems.append(Diagnostic(document.mark(path), what, "write `hosts: all` or the name of a group"))
    return ""


def _words(value: Any, document: Document, path: Path, problems: list[Diagnostic]) -> list[str]:
    found = [v.strip() for v in value.split(",")] if isinstance(value, str) else value
    if isinstance(found, list) and all(isinstance(v, str) for v in found):
        return [v for v in found if v]
    problems.append(Diagnostic(document.mark(path), f"{path[-1]} is a list of words", "write `[one, two]`"))
    return []
