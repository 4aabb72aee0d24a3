"""Which hosts are planned together: those that something that is wanted links."""

from __future__ import annotations

from collections.abc import Iterable

from hvctl.core.resource import Index


def units(run: Iterable[Index]) -> list[tuple[Index, ...]]:
    """In the order of the run; most are one host. A link to a host that the run does not have joins nothing."""
    desired = {one.host: one for one in run}
    together = {host: {host} for host in desired}
    first: dict[str, str] = {}
    for host, one in desired.items():
        others = set(one.links & desired.keys())
        if one.together:
            others.add(first.setdefault(one.together, host))
        for other in others:
            if together[other] is not together[host]:
                joined = together[host] | together[other]
                together |= dict.fromkeys(joined, joined)
    found: dict[int, list[Index]] = {}
    for host, one in desired.items():
        found.setdefault(id(together[host]), []).append(one)
    return [tuple(hosts) for hosts in found.values()]
