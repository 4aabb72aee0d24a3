"""Plans → a plan file."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hvctl import __version__
from hvctl.call import Staged
from hvctl.core.acceptance import Acceptance
from hvctl.core.plan import Plan
from hvctl.core.replan import steps_data
from hvctl.core.resource import Index, Resource
from hvctl.kinds import sections
from hvctl.redaction.redact import Redactor
from hvctl.saved.planfile.format import FORMAT
from hvctl.saved.planfile.shown import shown_data
from hvctl.text.diagnostic import ConfigError, Diagnostic
from hvctl.text.files import PRIVATE, write_whole
from hvctl.text.visible import json_text


def save(
    file: str,
    plans: Sequence[tuple[Plan, Index]],
    now: datetime,
    redactor: Redactor | None = None,
    sealed: Callable[[str], str] = str,
) -> None:
    """Raises ConfigError if the file cannot be written, or if what is to be done, which must stay as it is, holds a
    secret."""
    redactor = redactor or Redactor()
    _check_no_secret([wish for _, desired in plans for wish in desired], redactor)
    data = {
        "hvctl_plan": FORMAT,
        "hvctl": __version__,
        "created": f"{now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "hosts": [_host_data(plan, desired, redactor) for plan, desired in plans],
    }
    text = sealed(json_text(data, indent=1) + "\n")
    if redactor.holds(text):
        told = "not saved: a step or the desired state in this plan holds the password of a host"
        raise ConfigError([Diagnostic(None, f"{file}: {told}", "apply the playbooks without a saved plan")])
    try:
        write_whole(file, text, PRIVATE)
    except OSError as error:
        raise ConfigError(
            [Diagnostic(None, f"{file} cannot be written: {error.strerror}", "name another file")]
        ) from error


def _check_no_secret(wishes: Iterable[Resource], redactor: Redactor) -> None:
    """Rendered files travel with the plan, in an encoding in which nothing would be found."""
    files = [(w.file, w) for w in wishes if w.file is not None]
    secret = {f.name: w for f, w in files if f.secret or redactor.holds((f.content or b"").decode("utf-8", "replace"))}
    if secret:
        hint = "apply the playbook itself"
        texts = [(w.place.mark(), f"{name} holds a secret, so its plan cannot be saved") for name, w in secret.items()]
        raise ConfigError([Diagnostic(mark, text, hint) for mark, text in texts])


def _host_data(plan: Plan, desired: Index, redactor: Redactor) -> dict[str, Any]:
    # A host may name itself as it likes, also by a password; then it is not compared.
    computer, user = ("" if redactor.holds(name) else name for name in (plan.info.computer, plan.info.user))
    return {
        "name": plan.host,
        "computer": computer,
        "user": user,
        "time": plan.facts.time,
        "allow": sorted(plan.allow),
        "desired": [_desired_data(w, desired) for w in desired],
        "steps": steps_data(plan),
        "shown": shown_data(redactor.value(plan)),
    }


def _desired_data(wish: Resource, desired: Index) -> dict[str, Any]:
    place = wish.place
    data = {
        "kind": wish.kind,
        "fields": wish.model_dump(mode="json", exclude_unset=True, by_alias=True),
        "owner": wish.owner.seat if wish.owner is not None else None,
        "allow": sorted(place.allow),
        "hosts": list(place.hosts) if wish.links() else [],
        "accept": [_accept_data(one) for one in desired.entry(wish).accept],
        "source": _source_data(wish.file),
        "file": place.document.file,
        "marks": dict(_marks(wish)),
    }
    return {name: value for name, value in data.items() if value not in (None, [])}


def _accept_data(one: Acceptance) -> dict[str, Any]:
    at = f"{one.mark.line}:{one.mark.column}"
    return {"until": one.until.isoformat(), "reason": one.reason, "fields": [*one.fields], "at": at}


def _marks(wish: Resource) -> Iterator[tuple[str, str]]:
    """Its own and those of its fields, without what stands within it; of one that several plays write, those in its file."""
    within, inner = len(wish.place.path), sections(wish.kind)
    for path, mark in wish.place.document.marks.items():
        if mark.file != wish.place.document.file:
            continue
        if path[:within] == wish.place.path and (len(path) == within or path[within] not in inner):
            yield ".".join(str(part) for part in path[within:]), f"{mark.line}:{mark.column}"


def _source_data(file: Staged | None) -> dict[str, str] | None:
    if file is None:
        return None
    if file.content is not None:
        return {"content": b64encode(file.content).decode("ascii")}
    return {"path": str(Path(file.path).absolute()), "sha256": file.sha256}
