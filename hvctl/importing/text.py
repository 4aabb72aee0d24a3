"""Imported hosts as one playbook, and what is told of them beside it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from hvctl.contract import title
from hvctl.importing.emit import said
from hvctl.importing.look import Imported, play_text
from hvctl.importing.roles import Cluster, counted, parted
from hvctl.importing.taste import grouped
from hvctl.language import listing
from hvctl.language import said as translated

_MANY = 20
_NONE: Mapping[str, Cluster] = {}


def playbook_text(found: Sequence[Imported], clusters: Mapping[str, Cluster] = _NONE) -> str:
    """A play for each host, and one for each cluster with roles on them. `clusters`: by name."""
    lead = ["As hvctl found it. Defaults are left out; what is not written is not touched."]
    hosts, roles = parted(found, clusters)
    nodes = {host for one in roles for host in one.read}
    own = (one for one in hosts if one.body.data or one.body.comments or one.host not in nodes)
    plays = (*(play_text(one.host, one.body) for one in own), *(one.text() for one in roles))
    return "\n".join(["\n".join(said(lead, 0)), *plays])


def told_lines(found: Sequence[Imported]) -> Iterator[str]:
    """What was written of each host, and what was not, and why; of many hosts, only of those with something to tell."""
    many = len(found) > _MANY
    if many:
        vms = sum(len(one.body.data.get("vms", ())) + counted(one.body) for one in found)
        total = sum(one.body.usual for one in found)
        yield f"{len(found)} hosts, {vms:,} VMs; {total:,} defaults are left out (--all writes them)"
    for one in found:
        if many and not one.omitted:
            continue
        told = listing(map(translated, _counted(one))) or translated("nothing")
        more = translated(f"; {one.body.usual:,} defaults are left out (--all writes them)")
        yield f"{one.host} ({title(one.os)}): {told}{more if one.body.usual else ''}"
        left = grouped(one.omitted)
        for (address, why), fields in [*left.items()][:_MANY]:
            yield f"  not written: {', '.join((str(address), *fields))}: {why}"
        if len(left) > _MANY:
            yield f"  and {len(left) - _MANY} more, each beside what it belongs to"


def _counted(one: Imported) -> Iterator[str]:
    words = {"vms": ("VM", "VMs"), "switches": ("switch", "switches"), "host": ("host settings", "host settings")}
    counts = Counter({s: len(v) if isinstance(v, list) else 1 for s, v in one.body.data.items() if s != "cluster"})
    if roles := counted(one.body):
        counts["roles"] = roles
    for section, count in counts.items():
        single, many = words.get(section, (section.removesuffix("s").replace("_", " "), section.replace("_", " ")))
        yield single if single == many else f"{count} {single if count == 1 else many}"
