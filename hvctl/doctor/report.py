"""What was found, for people in one screen and for programs as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from rich.text import Text

from hvctl.doctor.cause import Cause, Place
from hvctl.doctor.evidence import Stage
from hvctl.doctor.judge import Diagnosis
from hvctl.doctor.wmi_v1 import BEYOND, V1Report
from hvctl.language import listing, said, sentences
from hvctl.show.cells import hint, hung, listed, plural, with_right
from hvctl.show.text import WIDEST, trace_lines

FORMAT = 1
FEW = 4
"""So many hosts are told one by one; more are told by cause, unless everything is asked for."""
_SIGNS = {"blocks": ("✗", "red"), "limits": ("✗", "yellow"), "warns": ("!", "yellow")}
_NAMED = 5
_STAGES: Mapping[Stage, str] = {
    "configuration": "configuration", "name": "name service", "port": "TCP port", "tls": "TLS", "logon": "logging on",
    "shell": "WinRM's shell", "powershell": "PowerShell", "rights": "rights", "hyper_v": "Hyper-V", "quotas": "quotas",
    "time": "clock", "cluster": "cluster", "domain": "domain", "folder": "hvctl's folder", "wmi_v1": "WMI v1",
}  # fmt: skip
_PLACES: Mapping[Place, str] = {
    "control node": "here", "host": "on the host", "domain": "in the domain", "inventory": "in the inventory",
    "playbook": "in the playbook",
}  # fmt: skip


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
    about = [one.address, one.windows, one.account and said(f"as {one.account}")]
    left = Text(one.host, "bold").append("  " + ", ".join(filter(None, about)), "not bold")
    yield from with_right(left, _count(one), "green" if one.healthy else "red", width)
    for cause in one.causes:
        yield from _cause(cause, width)
    if one.defect:
        yield from trace_lines(one.defect)
    if one.not_looked_at:
        words = ", ".join(_STAGES[stage] for stage in one.not_looked_at)
        yield from hung("·", [(f"not looked at: {words}", "dim")], width, 2)
    elif everything and one.v1 is not None:
        yield from _v1(one.v1, width)


def _cause(cause: Cause, width: int) -> Iterator[Text]:
    sign, style = _SIGNS[cause.weight]
    unsure = "" if cause.sure == "certain" else f" ({cause.sure})"
    yield from hung(sign, [(cause.message, style), (unsure, "dim")], width, 2)
    # In one piece, so that it can be copied.
    yield Text(f"    → {said(_PLACES[cause.at])}: ", "dim").append(said(cause.remedy), "not dim cyan")


def _v1(found: V1Report, width: int) -> Iterator[Text]:
    known = {True: "is here", False: "is gone here", None: "is here or not: it could not be asked"}[found.present]
    yield from hung("·", [(rf"WMI v1 (root\virtualization) {known}; what refers to it:", "dim")], width, 2)
    for one in found.searched:
        why = f": {one.why}" if one.why else ""
        yield from hint(f"{said(one.place)}: {said(one.verdict)}{why}", width, 4)
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
        yield Text(f"{said(plural(len(hosts), 'host'))}: ", "bold").append(f"{named}{said(more)}", "not bold")
        host, cause = group[0]
        if len({other.message for _, other in group}) > 1:
            cause = replace(cause, message=f"{host}: {said(cause.message)}")
        yield from _cause(cause, width)
    for one in found:
        if one.defect:
            yield Text(said(f"{one.host}: hvctl itself failed"), "red")
            yield from trace_lines(one.defect)


def _count(one: Diagnosis) -> str:
    if one.defect:
        return "hvctl itself failed"
    warnings = sum(c.weight == "warns" for c in one.causes)
    causes = len(one.causes) - warnings
    told = [said(plural(n, word)) for n, word in ((causes, "cause"), (warnings, "warning")) if n]
    return listing(told) or said("nothing found")


def _summary(found: Sequence[Diagnosis]) -> str:
    if not found:
        return said("No host was looked at.")
    healthy = sum(one.healthy for one in found)
    warned = sum(one.healthy and bool(one.causes) for one in found)
    told = []
    if healthy:
        told.append(said(f"{healthy} can be worked on") + (said(f" ({warned} with warnings)") if warned else ""))
    if left := len(found) - healthy:
        told.append(said(f"{left} cannot, or not in full"))
    more = [said("-v tells them one by one")] if left and len(found) > FEW else []
    return sentences(f"{said(plural(len(found), 'host'))}: {listing(told)}", *more)


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
