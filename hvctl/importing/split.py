"""Many hosts as many files: what several have in common once, what differs in it as variables, the rest by host."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hvctl.importing.emit import Expression, emitted, said, scalar
from hvctl.importing.look import Imported, play_text
from hvctl.importing.roles import Cluster, parted
from hvctl.importing.taste import Body, Data, rank
from hvctl.kinds import sections
from hvctl.text.source import Path

_ALONE = ("vms",)
"""What is each host's own."""
_NAMED = 8
"""As many hosts may be named instead of a group."""

_NONE: Mapping[str, Cluster] = {}

Leaves = Mapping[Path, Any]
Members = Mapping[str, Sequence[str]]


def split_files(found: Sequence[Imported], groups: Members, clusters: Mapping[str, Cluster] = _NONE) -> dict[str, str]:
    """Texts by the names of the files, relative to one folder. `groups`: of the inventory, with all their hosts; `clusters`: by
    name."""
    hosts, roles = parted(found, clusters)
    work = _Splitting({one.host: one for one in hosts}, groups)
    work.lift()
    files: dict[str, str] = {}
    if work.plays:
        files[_free("common", work.bodies)] = "\n".join(_play(hosts, data) for hosts, data in work.plays.items())
    for one in found:
        body = work.bodies[one.host]
        if body.data or body.comments:
            files[f"{_file_name(one.host)}.yml"] = play_text(one.host, body)
    for play in roles:
        files[_free(_file_name(play.name), files)] = play.text()
    for kind, values in (("group_vars", work.of_groups), ("host_vars", work.of_hosts)):
        files |= {f"{kind}/{name}.yml": "\n".join(emitted(values[name], {})) + "\n" for name in sorted(values)}
    return files


def _free(name: str, taken: Mapping[str, object]) -> str:
    while name in taken or f"{name}.yml" in taken:
        name = f"{name}-of-all"
    return f"{name}.yml"


def _file_name(host: str) -> str:
    return re.sub(r'[\\/:*?"<>|]', "_", host)


def _play(hosts: tuple[str, ...], data: Data) -> str:
    pattern = scalar(hosts[0]) if len(hosts) == 1 else "[" + ", ".join(map(scalar, hosts)) + "]"
    lines = [f"- name: {scalar('What ' + ', '.join(hosts[:_NAMED]) + ' have in common')}", f"  hosts: {pattern}"]
    ordered = dict(sorted(data.items(), key=lambda item: rank(item[0])))
    return "\n".join([*said((), 0), *lines, *emitted(ordered, {}, (), 2)]) + "\n"


@dataclass
class _Splitting:
    found: Mapping[str, Imported]
    groups: Members
    plays: dict[tuple[str, ...], Data] = field(default_factory=dict)
    of_groups: dict[str, Data] = field(default_factory=dict)
    of_hosts: dict[str, Data] = field(default_factory=dict)
    bodies: dict[str, Body] = field(init=False)
    names: dict[str, tuple[str, str, Path]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.bodies = {host: replace(one.body, data=dict(one.body.data)) for host, one in self.found.items()}

    def lift(self) -> None:
        """What at least two hosts have, of the same fields, and at least half of them equal."""
        taken: dict[str, set[tuple[str, str]]] = defaultdict(set)
        for (section, key), items in self._items().items():
            shapes = Counter(tuple(leaves) for leaves in items.values())
            shape = max(shapes, key=lambda one: (shapes[one], one))
            alike = {host: leaves for host, leaves in items.items() if tuple(leaves) == shape}
            equal = [at for at in shape if len({repr(leaves[at]) for leaves in alike.values()}) == 1]
            if len(alike) < 2 or len(shape) - len(equal) > len(equal):
                continue
            first = next(iter(alike.values()))
            known = {at: first[at] if at in equal else self._variable(section, key, at, alike) for at in shape}
            self._put(self._pattern(tuple(alike)), section, _built(known))
            for host in alike:
                taken[host].add((section, key))
        for host, gone in taken.items():
            self._take(host, gone)

    def _items(self) -> dict[tuple[str, str], dict[str, Leaves]]:
        """By section and name, of each host; without what something is said about."""
        items: dict[tuple[str, str], dict[str, Leaves]] = {}
        for host, body in self.bodies.items():
            for section, key, path, item in _things(body.data):
                if section not in _ALONE and not any(at[: len(path)] == path for at in body.comments):
                    items.setdefault((section, key), {})[host] = dict(_leaves(item))
        return items

    def _put(self, hosts: tuple[str, ...], section: str, item: Data) -> None:
        play = self.plays.setdefault(hosts, {})
        if sections(None)[section].many:
            play.setdefault(section, []).append(item)
        else:
            play[section] = item

    def _take(self, host: str, gone: set[tuple[str, str]]) -> None:
        """With the comments of lists that became shorter where they belong."""
        body = self.bodies[host]
        data: Data = {}
        moved: dict[Path, Path] = {}
        for section, key, path, item in _things(body.data):
            if (section, key) in gone:
                continue
            if sections(None)[section].many:
                data.setdefault(section, []).append(item)
                moved[path] = (section, len(data[section]) - 1)
            else:
                data[section] = item
        comments: dict[Path, list[str]] = {}
        for at, texts in body.comments.items():
            comments[(*moved[at[:2]], *at[2:]) if at[:2] in moved else at] = texts
        self.bodies[host] = replace(body, data=data, comments=comments)

    # --- what differs --------------------------------------------------------------------------------------------

    def _variable(self, section: str, key: str, at: Path, alike: Mapping[str, Leaves]) -> Expression:
        kind = sections(None)[section].kind
        name = self._name("_".join([kind, key, *map(str, at)]), (section, key, at))
        values = {host: leaves[at] for host, leaves in alike.items()}
        of_host: dict[str, list[Any]] = defaultdict(list)
        for group, members in self.groups.items():
            own = [values[host] for host in members if host in values]
            if 1 < len(own) < len(values) and len({repr(v) for v in own}) == 1:
                self.of_groups.setdefault(group, {})[name] = own[0]
                for host in members:
                    of_host[host].append(own[0])
        left = Counter(repr(value) for host, value in values.items() if not of_host[host])
        usual, count = left.most_common(1)[0] if left else ("", 0)
        if count > 1 and 2 * count > left.total() and "all" in self.groups:  # any other group wins over it
            value = next(v for v in values.values() if repr(v) == usual)
            for own_values in self.of_groups.values():
                if repr(own_values.get(name)) == usual:
                    del own_values[name]
            self.of_groups = {group: known for group, known in self.of_groups.items() if known}
            self.of_groups.setdefault("all", {})[name] = value
            for host in values:
                of_host[host] = of_host[host] or [value]
        for host, value in values.items():
            if not of_host[host] or any(repr(v) != repr(value) for v in of_host[host]):
                self.of_hosts.setdefault(host, {})[name] = value
        return Expression(f"{{{{ {name} }}}}")

    def _name(self, text: str, of: tuple[str, str, Path]) -> str:
        """A name of a variable that is nothing else's."""
        plain = re.sub(r"[^a-z0-9]+", "_", text.casefold()).strip("_")
        name, n = plain, 1
        while self.names.setdefault(name, of) != of:
            n += 1
            name = f"{plain}_{n}"
        return name

    def _pattern(self, hosts: tuple[str, ...]) -> tuple[str, ...]:
        """A group, or one without a few of its hosts, or the hosts themselves."""
        wanted = set(hosts)
        around = [(len(set(m) - wanted), len(m), g) for g, m in self.groups.items() if wanted <= set(m)]
        beyond, _, group = min(around, default=(0, 0, ""))
        if group and beyond <= min(_NAMED, len(wanted)):
            gone = [host for host in self.groups[group] if host not in wanted]
            return (":".join([group, *(f"!{host}" for host in gone)]),)
        return hosts


def _things(data: Data) -> Iterator[tuple[str, str, Path, Any]]:
    """Section, name, path and item."""
    for section, value in data.items():
        if isinstance(value, list):
            for n, item in enumerate(value):
                yield section, str(item.get("name", n)), (section, n), item
        else:
            yield section, "", (section,), value


def _leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Lists are one value."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _leaves(inner, (*path, key))
    else:
        yield path, value


def _built(leaves: Leaves) -> Data:
    data: Data = {}
    for path, value in leaves.items():
        at = data
        for part in path[:-1]:
            at = at.setdefault(str(part), {})
        at[str(path[-1])] = value
    return data
