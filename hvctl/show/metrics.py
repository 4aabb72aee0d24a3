"""A check as metrics for Prometheus."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from hvctl import __version__
from hvctl.core.check import Check
from hvctl.core.outcome import Outcome
from hvctl.text.files import write_whole

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

STATES = ("in_sync", "accepted", "drifted", "unreachable", "unreadable")
_SUCCESS = "hvctl_last_success_timestamp_seconds"


def registry(check: Check | None, successes: Mapping[str, float]) -> CollectorRegistry:
    """One check and nothing else: no process, no Python, no earlier values. None: none was finished yet.

    Labels are hosts and kinds of resources, never a VM or a field: their number is bounded by the inventory.
    """
    from prometheus_client import CollectorRegistry, Gauge  # noqa: PLC0415 - plans do without it

    found = CollectorRegistry()
    Gauge("hvctl_build_info", "1; the version of hvctl.", ["version"], registry=found).labels(__version__).set(1)
    if check is None:
        return found
    hosts = Gauge("hvctl_hosts", "Hosts by what the last check found of them.", ["state"], registry=found)
    counted = Counter(state(one) for one in check.outcomes)
    for word in STATES:
        hosts.labels(word).set(counted[word])
    up = Gauge("hvctl_host_up", "1 if the host answered at the last check, 0 if not.", ["host"], registry=found)
    drifted = Gauge(
        "hvctl_drifted_fields",
        "Fields that are not as the playbooks say; a resource that is missing counts as one. None for a host that "
        "could not be asked.",
        ["host", "kind"],
        registry=found,
    )
    waiting = Gauge(
        "hvctl_waiting_fields",
        "Fields whose time is to come or has not passed, such as exports before the end of their window: no drift.",
        ["host", "kind"],
        registry=found,
    )
    known = Gauge(
        "hvctl_accepted_fields",
        "Fields that are not as the playbooks say, which is accepted until a day (accept:): no drift.",
        ["host", "kind"],
        registry=found,
    )
    accepted = Counter((d.spot.host, d.spot.address.kind) for d in check.accepted)
    for (host, kind), number in sorted(accepted.items()):
        known.labels(host, kind).set(number)
    fields = Counter((d.spot.host, d.spot.address.kind) for d in check.drifts)
    kinds: dict[str, set[str]] = {}
    for host, kind in fields:
        kinds.setdefault(host, set()).add(kind)
    for one in check.outcomes:
        asked = (one.error is None or bool(one.error.defect)) and not one.wrong
        up.labels(one.host).set(asked)
        if one.error is None and not one.wrong:
            wished = {a.address.kind for a in one.now.actions if a.wanted} if one.now is not None else set()
            for kind in sorted(wished | kinds.get(one.host, set())):
                drifted.labels(one.host, kind).set(fields[one.host, kind])
            for kind, number in sorted(_waiting(one).items()):
                waiting.labels(one.host, kind).set(number)
    requests = Gauge("hvctl_winrm_requests", "HTTP requests of the last check.", ["host"], registry=found)
    for host, number in sorted(check.requests.items()):
        requests.labels(host).set(number)
    duration = Gauge("hvctl_check_duration_seconds", "How long the last check took.", registry=found)
    duration.set((check.finished - check.started).total_seconds())
    finished = Gauge("hvctl_check_timestamp_seconds", "When the last check was finished.", registry=found)
    finished.set(check.finished.timestamp())
    success = Gauge(_SUCCESS, "When all that is asked of the host was read last.", ["host"], registry=found)
    for host, when in sorted(successes.items()):
        success.labels(host).set(when)
    return found


def _waiting(one: Outcome) -> Mapping[str, int]:
    actions = one.now.actions if one.now else ()
    return Counter(a.address.kind for a in actions for _ in range(len(a.waiting) or a.verb == "later"))


def state(one: Outcome) -> str:
    """One of STATES."""
    if one.error is not None:
        return "unreadable" if one.error.defect else "unreachable"
    if one.now is None or one.now.unreadable:
        return "unreadable"
    if not one.now.in_sync:
        return "drifted"
    return "accepted" if one.now.accepted else "in_sync"


def successes(check: Check, before: Mapping[str, float]) -> dict[str, float]:
    """When each host of the check was read in full last; one that never was is left out."""
    read = {one.host for one in check.outcomes if state(one) in ("in_sync", "accepted", "drifted")}
    now = check.finished.timestamp()
    return {
        one.host: now if one.host in read else before[one.host]
        for one in check.outcomes
        if one.host in read or one.host in before
    }


def successes_in(file: str) -> dict[str, float]:
    """As an earlier check wrote them; nothing where there is none, or nothing that can be read."""
    from prometheus_client.parser import text_string_to_metric_families  # noqa: PLC0415 - plans do without it

    try:
        families = list(text_string_to_metric_families(Path(file).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}
    return {s.labels["host"]: s.value for f in families for s in f.samples if s.name == _SUCCESS and "host" in s.labels}


def write(check: Check, file: str, successes: Mapping[str, float]) -> None:
    """At once or not at all, as node_exporter's textfile collector wants it. Raises OSError."""
    from prometheus_client import generate_latest  # noqa: PLC0415 - plans do without it

    write_whole(file, generate_latest(registry(check, successes)).decode("utf-8"))
