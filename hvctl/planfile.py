"""Plan ⇄ JSON: a saved plan holds the steps, the facts it rests on, and the wishes to look again with."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from hvctl.call import Failure, HostInfo, Reply, from_json, to_json
from hvctl.facts import Facts
from hvctl.files import write_whole
from hvctl.kinds import kind_named
from hvctl.plan import Action, Line, Plan, PlannedStep, Remark, Restart
from hvctl.redact import Redactor
from hvctl.resource import Place, Resource
from hvctl.source import ConfigError, Document, Mark, Problem
from hvctl.visible import json_text

FORMAT = 1


@dataclass(frozen=True)
class Saved:
    """One host of a saved plan: what to do, and the wishes behind it."""

    plan: Plan
    wishes: tuple[Resource, ...]


def save(file: str, hosts: Sequence[Saved], inventory: str = "", redactor: Redactor | None = None) -> None:
    """`inventory`: the file that says how the hosts are reached. What was read is masked. Raises ConfigError if the
    file cannot be written, or if what is to be done, which must stay as it is, holds a secret."""
    redactor = redactor or Redactor()
    _check_no_secret(hosts, redactor)
    data = {"hvctl_plan": FORMAT, "inventory": inventory, "hosts": [_host_data(_masked(h, redactor)) for h in hosts]}
    text = json_text(data, indent=1) + "\n"
    if redactor.holds(text):
        told = "not saved: a step or a wish in this plan holds the password of a host"
        raise ConfigError([Problem(None, f"{file}: {told}", "apply the playbooks without a saved plan")])
    try:
        write_whole(file, text)
    except OSError as error:
        raise ConfigError(
            [Problem(None, f"{file} cannot be written: {error.strerror}", "name another file")]
        ) from error


def _check_no_secret(hosts: Sequence[Saved], redactor: Redactor) -> None:
    """Rendered files travel with the plan, in an encoding in which nothing would be found."""
    files = [(w.file, w) for h in hosts for w in h.wishes if w.file is not None]
    secret = {f.name: w for f, w in files if f.secret or redactor.holds((f.content or b"").decode("utf-8", "replace"))}
    if secret:
        hint = "apply the playbook itself"
        texts = [(w.place.mark(), f"{name} holds a secret, so its plan cannot be saved") for name, w in secret.items()]
        raise ConfigError([Problem(mark, text, hint) for mark, text in texts])


def load(file: str) -> list[Saved]:
    """Raises ConfigError for a file that is no saved plan of this version."""
    data = _read(file)
    try:
        return [_host(h) for h in data["hosts"]]
    except (KeyError, TypeError, ValueError, AttributeError, StopIteration) as error:
        raise ConfigError([Problem(None, f"{file} is damaged ({error!r})", "make it anew with plan --out")]) from error


def inventory_of(file: str) -> str:
    """The inventory that the plan was made with; "" if it does not say. Raises ConfigError."""
    return str(_read(file).get("inventory", ""))


def _read(file: str) -> dict[str, Any]:
    try:
        data = json.loads(Path(file).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError([Problem(None, f"{file} cannot be read: {error.strerror}", "")]) from error
    except ValueError as error:
        raise ConfigError([Problem(None, f"{file} is no saved plan: {error}", "make one with plan --out")]) from error
    if not isinstance(data, dict) or data.get("hvctl_plan") != FORMAT:
        raise ConfigError(
            [Problem(None, f"{file} is no saved plan of this version of hvctl", "make it anew with plan --out")]
        )
    return data


def _masked(saved: Saved, redactor: Redactor) -> Saved:
    plan = saved.plan
    seen = replace(plan, actions=redactor.value(plan.actions), facts=redactor.value(plan.facts))
    return replace(saved, plan=replace(seen, info=redactor.value(plan.info)))


# --- out -------------------------------------------------------------------------------------------------------


def _host_data(saved: Saved) -> dict[str, Any]:
    plan = saved.plan
    return {
        "host": plan.host,
        "os": plan.os,
        "info": asdict(plan.info),
        "allow": sorted(plan.allow),
        "actions": [_plain(asdict(a)) for a in plan.actions],
        "steps": [
            {
                "task": to_json(s.task),
                "text": s.text,
                "action": list(s.action),
                "because": list(s.because),
                "frame": s.frame,
            }
            for s in plan.steps
        ],
        "restarts": [_plain(asdict(r)) for r in plan.restarts],
        "facts": [{"call": to_json(c), "reply": _plain(asdict(r))} for c, r in plan.facts.replies.items()],
        "wishes": [_wish_data(w, saved.wishes) for w in saved.wishes],
    }


def _wish_data(wish: Resource, wishes: Sequence[Resource]) -> dict[str, Any]:
    place = wish.place
    return {
        "kind": wish.kind,
        "data": wish.model_dump(mode="json", exclude_unset=True),
        "owner": next((n for n, w in enumerate(wishes) if w is wish.owner), None),
        "file": place.document.file,
        "path": list(place.path),
        "allow": sorted(place.allow),
        "reads": to_json(wish.file),
        "marks": [
            [list(path), _plain(asdict(mark))]
            for path, mark in place.document.marks.items()
            if path[: len(place.path)] == place.path
        ],
    }


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _plain(v) for k, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, list | tuple | set | frozenset) else value


# --- in --------------------------------------------------------------------------------------------------------


def _host(data: Mapping[str, Any]) -> Saved:
    info = HostInfo(**data["info"])
    replies = {from_json(f["call"]): _reply(f["reply"]) for f in data["facts"]}
    plan = Plan(
        data["host"],
        data["os"],
        info,
        tuple(_action(a) for a in data["actions"]),
        tuple(_step(s) for s in data["steps"]),
        tuple(Restart(r["name"], tuple(r["because"]), r["during"], r["back"]) for r in data["restarts"]),
        Facts(data["os"], info, replies),
        frozenset(data["allow"]),
    )
    return Saved(plan, tuple(_wishes(data["wishes"])))


def _wishes(data: Sequence[Mapping[str, Any]]) -> list[Resource]:
    made: list[Resource] = []
    for item in data:
        marks = {tuple(path): Mark(**mark) for path, mark in item["marks"]}
        path = tuple(item["path"])
        place = Place(Document(None, marks, {}, item["file"]), path, frozenset(item["allow"]))
        wish = kind_named(item["kind"]).model_validate(item["data"])
        wish.placed(place, made[item["owner"]] if item["owner"] is not None else None)
        wish._file = from_json(item.get("reads"))
        made.append(wish)
    for wish in made:
        wish.acquainted(tuple(made))
    return made


def _reply(data: Mapping[str, Any]) -> Reply:
    return Reply(
        tuple(data["rows"]),
        tuple(Failure(**f) for f in data["failures"]),
        data["skipped"],
        tuple(data["warnings"]),
        data["ms"],
    )


def _action(data: Mapping[str, Any]) -> Action:
    return Action(
        tuple(data["address"]),
        data["title"],
        data["verb"],
        Mark(**data["mark"]),
        data["summary"],
        tuple(
            Line(**{**x, "mark": Mark(**x["mark"]), "impacts": tuple(x["impacts"]), "consent": tuple(x["consent"])})
            for x in data["lines"]
        ),
        tuple(Remark(**{**x, "mark": Mark(**x["mark"])}) for x in data["remarks"]),
        tuple(data["made"]),
    )


def _step(data: Mapping[str, Any]) -> PlannedStep:
    task = from_json(data["task"])
    return PlannedStep(task, data["text"], tuple(data["action"]), tuple(data["because"]), data["frame"])
