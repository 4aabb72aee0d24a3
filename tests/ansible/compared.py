"""One inventory read by ansible-core and by hvctl, and where they say something else."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import chdir
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hvctl.call import Secret
from hvctl.config.inventory import Inventory
from hvctl.config.template import render
from hvctl.config.vault import Vault
from hvctl.text.diagnostic import ConfigError
from hvctl.text.source import Document

Pattern = tuple[str | list[str], str | None]
DRIVER = Path(__file__).parent / "driver.py"
NOBODY = "nobody"
NOWHERE = ".nowhere"
"""Without a folder of playbooks Ansible takes the current folder for it; hvctl does not."""
_SECONDS = 600


@dataclass(frozen=True)
class Case:
    """Files of an inventory, and what is asked of it. `scripts`: executable files. `encrypted`: what ansible-vault is
    to encrypt; `@NAME@` in a file stands for it."""

    name: str
    files: Mapping[str, str]
    sources: tuple[str, ...]
    patterns: tuple[Pattern, ...] = ()
    scripts: Mapping[str, str] = field(default_factory=dict)
    playbooks: str = ""
    vault: str = ""
    encrypted: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def write(self, folder: Path, envelopes: Mapping[str, str]) -> None:
        for name, text in {**self.files, **self.scripts}.items():
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(_with(text, envelopes), encoding="utf-8")
            file.chmod(0o755 if name in self.scripts else 0o644)
        (folder / NOWHERE).mkdir()
        if self.vault:
            (folder / "password").write_text(self.vault + "\n", encoding="utf-8")


def _with(text: str, envelopes: Mapping[str, str]) -> str:
    for key, envelope in envelopes.items():
        text = envelope if text == f"@{key}@" else text.replace(f'"@{key}@"', json.dumps(envelope))
    return text


@dataclass(frozen=True)
class Difference:
    """What is not the same: list, graph, patterns, variables or connections; and of what."""

    case: str
    part: str
    of: str
    ansible: Any = field(compare=False)
    hvctl: Any = field(compare=False)

    def __str__(self) -> str:
        return f"{self.case}: {self.part} of {self.of}\n  ansible: {self.ansible}\n  hvctl:   {self.hvctl}"


def asked(bin_folder: str, questions: Sequence[Mapping[str, Any]], home: Path) -> list[Any]:
    """One process of Ansible answers all."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("ANSIBLE_")} | {"HOME": str(home)}
    done = subprocess.run(
        [str(Path(bin_folder) / "python"), str(DRIVER)],
        input=json.dumps(questions),
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        cwd=home,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: list[Any] = json.loads(done.stdout)
    assert len(found) == len(questions)
    return found


def compared(bin_folder: str, cases: Sequence[Case], top: Path) -> list[Difference]:
    """The cases, written below a folder, and every difference."""
    wanted = [(c, key) for c in cases for key in c.encrypted]
    texts = [{"encrypt": {"password": c.vault, "label": None, **c.encrypted[key]}} for c, key in wanted]
    envelopes: dict[str, dict[str, str]] = {}
    for (case, key), envelope in zip(wanted, asked(bin_folder, texts, top) if texts else (), strict=True):
        envelopes.setdefault(case.name, {})[key] = envelope
    for case in cases:
        (top / case.name).mkdir()
        case.write(top / case.name, envelopes.get(case.name, {}))
    questions = [_question(c, top / c.name) for c in cases]
    answers = asked(bin_folder, questions, top)
    return [d for c, answer in zip(cases, answers, strict=True) for d in _differences(c, top / c.name, answer)]


def _question(case: Case, folder: Path) -> dict[str, Any]:
    return {
        "folder": str(folder),
        "sources": case.sources,
        "patterns": case.patterns,
        "playbooks": case.playbooks or NOWHERE,
        "vault": "password" if case.vault else "",
    }


def _differences(case: Case, folder: Path, answer: Mapping[str, Any]) -> Iterator[Difference]:
    with chdir(folder):
        try:
            vault = Vault((Secret(case.vault),)) if case.vault else None
            found = Inventory.load(case.sources, vault, scripts=True)
            found = found.beside(case.playbooks) if case.playbooks else found
        except ConfigError as error:
            if "error" not in answer:
                yield Difference(case.name, "load", "", "is read", str(error))
            return
        if "error" in answer:
            yield Difference(case.name, "load", "", answer["error"], "is read")
            return
        for part, of, theirs, ours in _told(case, found, answer):
            if theirs != ours:
                yield Difference(case.name, part, of, theirs, ours)


def _told(case: Case, found: Inventory, answer: Mapping[str, Any]) -> Iterator[tuple[str, str, Any, Any]]:
    listed = answer["list"]
    listed["_meta"].pop("profile")
    theirs, ours = listed["_meta"].pop("hostvars"), found.as_list()
    own = ours.pop("_meta")["hostvars"]
    yield "list", "hosts with variables", list(theirs), sorted(own)
    for host in theirs.keys() & own.keys():
        yield "list", host, _closed(theirs[host]), json.loads(json.dumps(own[host]))
    yield (
        "list",
        "groups",
        {k: v for k, v in listed.items() if k != "_meta"},
        {k: v for k, v in ours.items() if k != "_meta"},
    )
    yield "graph", "", answer["graph"], found.as_graph()
    for pattern, names in zip(case.patterns, answer["patterns"], strict=True):
        yield (
            "patterns",
            str(pattern[0]) + (f" --limit {pattern[1]}" if pattern[1] else ""),
            *_hosts(found, pattern, names),
        )
    for host, variables in answer["variables"].items():
        known = found.variables(found.hosts[host])
        for name, value in variables.items():
            failed = isinstance(value, dict) and value.keys() == {"error"}
            yield "variables", f"{host}.{name}", {"error"} if failed else value, _templated(known, name)
    for host, connection in answer["connections"].items():
        theirs = {"error"} if "error" in connection else {**connection, "user": connection["user"] or NOBODY}
        yield "connections", host, theirs, _connection(found, host)


def _closed(value: Any) -> Any:
    """A value that came encrypted, as hvctl shows it; a text that Ansible would not evaluate, without its mark."""
    if isinstance(value, dict):
        if "__ansible_unsafe" in value:
            return value["__ansible_unsafe"]
        return "!vault" if "__ansible_vault" in value else {k: _closed(v) for k, v in value.items()}
    return [_closed(v) for v in value] if isinstance(value, list) else value


def _hosts(found: Inventory, pattern: Pattern, theirs: list[str] | str) -> tuple[Any, Any]:
    try:
        ours: Any = [h.name for h in found.select(*pattern)]
    except ConfigError as error:
        return (theirs, str(error)) if isinstance(theirs, list) else (None, None)
    return theirs, ours


def _templated(variables: Mapping[str, Any], name: str) -> Any:
    document = Document(None, {}, {}, "template")
    try:
        return json.loads(json.dumps(render("{{ " + name + " }}", variables, document), default=repr))
    except ConfigError:
        return {"error"}


def _connection(found: Inventory, host: str) -> Any:
    """hvctl wants a user: it has a default here."""
    known = found.hosts[host]
    user = {} if known.variables.keys() & {"ansible_user", "ansible_winrm_user"} else {"ansible_user": NOBODY}
    try:
        made = found.connection(replace(known, variables={**known.variables, **user}))
    except ConfigError:
        return {"error"}
    return {"host": made.host, "user": made.user, "port": made.port, "scheme": made.scheme, "path": made.path}
