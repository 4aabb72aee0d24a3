"""What was found, for people in one screen and for programs as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from typing import Any

from rich.text import Text

from hvctl.doctor.cause import Cause
from hvctl.doctor.judge import Diagnosis
from hvctl.doctor.wmi_v1 import BEYOND, V1Report
from hvctl.show.cells import hint, hung, listed, with_right
from hvctl.show.text import WIDEST, trace_lines

FORMAT = 1
FEW = 4
"""So many hosts are told one by one; more are told by cause, unless everything is asked for."""
_SIGNS = {"blocks": ("✗", "red"), "limits": ("✗", "yellow"), "warns": ("!", "yellow")}
_NAMED = 5


def lines(found: Sequence[Diagnosis], *, width: int, verbose: bool = False) -> Iterator[Text]:
    width = min(width, WIDEST)
    if len(found) <= FEW or verbose:
        for one in found:
            yield from _host(one, width, verbose or len(found) == 1)
    else:
        yield from _by_cause(found, width)
    yield Text(_summary(found))


def as_data(found: Sequence[Diagnosis], exit_status: int) -> dict[str, Any]:
    return {"hvctl_doctor": FORMAT, "exit_status": exit_status, "hosts": [_data(one) for one in found]}


# --- for people -----------------------------------------------------------------------------------------------------


def _host(one: Diagnosis, width: int, everything: bool) -> Iterator[Text]:
    about = [one.address, one.windows, one.account and f"as {one.account}"]
    left = Text(one.host, "bold").append("  " + ", ".join(filter(None, about)), "not bold")
    yield from with_right(left, _count(one), "green" if one.healthy else "red", width)
    for cause in one.causes:
        yield from _cause(cause, width)
    if one.defect:
        yield from trace_lines(one.defect)
    if one.not_looked_at:
        words = ", ".join(s.replace("_", " ") for s in one.not_looked_at)
        yield from hung("·", [(f"not looked at: {words}", "dim")], width, 2)
    elif everything and one.v1 is not None:
        yield from _v1(one.v1, width)


def _cause(cause: Cause, width: int) -> Iterator[Text]:
    sign, style = _SIGNS[cause.weight]
    unsure = "" if cause.sure == "certain" else f" ({cause.sure})"
    yield from hung(sign, [(cause.message, style), (unsure, "dim")], width, 2)
    # In one piece, so that it can be copied.
    yield Text(f"    → {_where(cause)}: ", "dim").append(cause.remedy, "not dim cyan")


def _where(cause: Cause) -> str:
    return {"control node": "here", "host": "on the host", "domain": "in the domain"}.get(
        cause.at, f"in the {cause.at}"
    )


def _v1(found: V1Report, width: int) -> Iterator[Text]:
    known = {True: "is here", False: "is gone here", None: "is here or not: it could not be asked"}[found.present]
    yield from hung("·", [(rf"WMI v1 (root\virtualization) {known}; what refers to it:", "dim")], width, 2)
    for one in found.searched:
        why = f": {one.why}" if one.why else ""
        yield from hint(f"{one.place}: {one.verdict}{why}", width, 4)
        for reference in one.references:
            yield from hung(" ", [(reference, "dim")], width, 6)
    yield from hint(f"not searched: {BEYOND}", width, 4)


def _by_cause(found: Sequence[Diagnosis], width: int) -> Iterator[Text]:
    groups: dict[str, list[tuple[str, Cause]]] = {}
    for one in found:
        for cause in one.causes:
            groups.setdefault(cause.name, []).append((one.host, cause))
    for group in sorted(groups.values(), key=lambda g: (g[0][1].rank, -len(g))):
        hosts = [host for host, _ in group]
        more = f" and {len(hosts) - _NAMED} more" if len(hosts) > _NAMED else ""
        named = ", ".join(hosts[:_NAMED]) if more else listed(hosts)
        yield Text(f"{len(hosts)} host{'s' * (len(hosts) != 1)}: ", "bold").append(f"{named}{more}", "not bold")
        host, cause = group[0]
        if len({other.message for _, other in group}) > 1:
            cause = replace(cause, message=f"{host}: {cause.message}")
        yield from _cause(cause, width)
    for one in found:
        if one.defect:
            yield Text(f"{one.host}: hvctl itself failed", "red")
            yield from trace_lines(one.defect)


def _count(one: Diagnosis) -> str:
    if one.defect:
        return "hvctl itself failed"
    warnings = sum(c.weight == "warns" for c in one.causes)
    causes = len(one.causes) - warnings
    told = [f"{n} {word}{'s' * (n != 1)}" for n, word in ((causes, "cause"), (warnings, "warning")) if n]
    return ", ".join(told) or "nothing found"


def _summary(found: Sequence[Diagnosis]) -> str:
    if not found:
        return "No host was looked at."
    healthy = sum(one.healthy for one in found)
    warned = sum(one.healthy and bool(one.causes) for one in found)
    told = [f"{healthy} can be worked on" + (f" ({warned} with warnings)" if warned else "")] if healthy else []
    if len(found) - healthy:
        told.append(f"{len(found) - healthy} cannot, or not in full")
    if len(found) > FEW and len(found) - healthy:
        told[-1] += "; -v tells them one by one"
    return f"{len(found)} host{'s' * (len(found) != 1)}: {', '.join(told)}."


# --- for programs ---------------------------------------------------------------------------------------------------


def _data(one: Diagnosis) -> dict[str, Any]:
    shown = one.certificate
    return {
        "host": one.host,
        "address": one.address,
        "windows": one.windows,
        "account": one.account,
        "healthy": one.healthy,
        "causes": [asdict(cause) for cause in one.causes],
        "looked_at": list(one.looked_at),
        "certificate": None
        if shown is None
        else {**asdict(shown), "begins": shown.begins.isoformat(), "ends": shown.ends.isoformat()},
        "wmi_v1": None if one.v1 is None else {**asdict(one.v1), "not_searched": BEYOND},
        "defect": one.defect,
    }
