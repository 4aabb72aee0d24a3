"""A cluster as one play of all of its nodes: its settings, which each of them tells, and its roles, of which each has some."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from hvctl.importing.emit import emitted, said, scalar
from hvctl.importing.look import Imported
from hvctl.importing.taste import Body
from hvctl.text.source import Path

_SECTION = "cluster"


@dataclass(frozen=True)
class Cluster:
    """`nodes`: that the inventory has. `pattern`: hosts of a play that selects all of them."""

    nodes: tuple[str, ...]
    pattern: str


@dataclass
class RolesOf:
    """The play of a cluster: its settings, and the roles of those of its nodes that were read."""

    name: str
    cluster: Cluster
    body: Body = field(default_factory=Body)
    read: list[str] = field(default_factory=list)

    def text(self, lead: Sequence[str] = ()) -> str:
        lines = [f"- name: {scalar(self.name)}", f"  hosts: {scalar(self.cluster.pattern)}"]
        if left := [node for node in self.cluster.nodes if node not in self.read]:
            lines += said([f"roles on {', '.join(left)} are not here: it was not read"], 2)
        lines += emitted(self.body.data, self.body.comments, (), 2)
        return "\n".join([*said(lead, 0), *lines]) + "\n"


def parted(found: Sequence[Imported], clusters: Mapping[str, Cluster]) -> tuple[list[Imported], list[RolesOf]]:
    """The hosts without them, and the clusters of which there is something to say."""
    plays: dict[str, RolesOf] = {}
    hosts = []
    for one in found:
        if one.cluster not in clusters:
            hosts.append(one)
            continue
        play = plays.setdefault(one.cluster, RolesOf(one.cluster, clusters[one.cluster]))
        play.read.append(one.host)
        _take(one.body, play.body)
        own = {at: texts for at, texts in one.body.comments.items() if at[:1] != (_SECTION,)}
        data = {section: value for section, value in one.body.data.items() if section != _SECTION}
        hosts.append(replace(one, body=replace(one.body, data=data, comments=own)))
    return hosts, [play for play in plays.values() if play.body.data.get(_SECTION)]


def _take(body: Body, into: Body) -> None:
    """What a node tells, with what is said of it: of the settings the first."""
    told = body.data.get(_SECTION, {})
    first = into.data.get(_SECTION)
    if first is None:
        first = into.data[_SECTION] = {k: v for k, v in told.items() if k != "vms"}
        own = ((at, texts) for at, texts in body.comments.items() if at[:1] == (_SECTION,) and at[1:2] != ("vms",))
        into.comments |= dict(own)
    before = len(first.get("vms", []))
    if roles := told.get("vms", []):
        first["vms"] = [*first.get("vms", []), *roles]
    for at, texts in _comments(body, before):
        into.comments[at] = texts


def _comments(body: Body, before: int) -> Iterator[tuple[Path, list[str]]]:
    for at, texts in body.comments.items():
        if at[:2] == (_SECTION, "vms") and len(at) > 2 and isinstance(at[2], int):
            yield (*at[:2], before + at[2], *at[3:]), texts


def counted(body: Body) -> int:
    """How many roles are written of a host."""
    return len(body.data.get(_SECTION, {}).get("vms", ()))
