"""Plan files at the command line: which one is meant, the hosts of it, and what is said about it."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from hvctl.cli.options import Settings
from hvctl.cli.prepared import inventory_of, run_of, work_of
from hvctl.files import why_not
from hvctl.offline import Desired, offline_problems
from hvctl.outcome import Outcome
from hvctl.planfile import Saved, has_plays, is_plan, load
from hvctl.prepare import Prepared, find_inventory
from hvctl.run import Run
from hvctl.sealing import Sealing
from hvctl.show.text import problem_lines, sent_lines
from hvctl.source import ConfigError, Problem
from hvctl.vault import PasswordFile


def saved_plan(settings: Settings, files: Sequence[str]) -> Saved | None:
    """The plan file, if it is one that is given, or something that is called so and is no playbook. Raises ConfigError."""

    def opened(text: str) -> str:
        return Sealing(inventory_of(settings), settings.vault).opened(text)

    if len(files) != 1:
        return None
    (file,) = files
    called_so = file.casefold().endswith(".json") and Path(file).is_file() and not has_plays(file)
    return load(file, opened) if called_so or is_plan(file) else None


def sealing(settings: Settings, found: Prepared) -> Callable[[str], str]:
    """What hides values that came encrypted."""
    return Sealing(found.inventory, settings.vault).sealed if found.inventory else str


def check_out(file: str, playbooks: Sequence[str]) -> None:
    """Whether a plan file may be written there, before a host is asked. Raises ConfigError."""
    taken = any(Path(playbook).resolve() == Path(file).resolve() for playbook in playbooks)
    if why := "it is the playbook" if taken else why_not(file):
        raise ConfigError([Problem(None, f"--out {file} cannot be written: {why}", "name another file")])


def saved_run(settings: Settings, saved: Saved) -> Run:
    """For the hosts of a plan file, by an inventory that is named or in the current folder: never by one that the plan
    file names or that lies beside it. Raises ConfigError."""
    inventory = inventory_of(settings)
    missing = [one.name for one in saved.hosts if one.name not in inventory.hosts]
    if missing:
        text = f"the inventory {inventory.file} does not have {', '.join(missing)} of the plan {saved.file}"
        raise ConfigError([Problem(None, text, "name the inventory that the plan was made with, by -i")])
    work = [work_of(settings, inventory, inventory.hosts[one.name], one.wishes) for one in saved.hosts]
    found = offline_problems([Desired(w.name, w.connection.os, w.wishes) for w in work], seen=True)
    if any(p.level == "error" for p in found):
        raise ConfigError(p for p in found if p.level == "error")
    for line in problem_lines(
        dict.fromkeys((*inventory.warnings, *(p for w in work for p in w.connection.warnings), *found))
    ):
        settings.err.print(line, soft_wrap=True)
    return run_of(settings, Prepared(tuple(work)), frozenset())


def show_saved(settings: Settings, saved: Saved, run: Run, outcomes: Sequence[Outcome]) -> None:
    """What was planned again, and which files of this machine go with it."""
    allows = f"; it allows {', '.join(saved.allow)}" if saved.allow else ""
    made = f"made {saved.created:%Y-%m-%d %H:%M} UTC by hvctl {saved.hvctl}"
    settings.out.print(f"Plan file {saved.file}, {made}{allows}. Planned again:", markup=False, soft_wrap=True)
    run.show_plans(outcomes)
    for line in sent_lines(o.plan for o in outcomes if o.plan is not None and not o.changed):
        settings.out.print(line, soft_wrap=True)


def apply_command(settings: Settings, found: Prepared, file: str) -> str:
    """What applies a plan file, typed in the current folder."""
    used = settings.inventory or ((found.inventory.file,) if found.inventory else ())
    given = [word for name in used for word in ("-i", name)] if used != _inventory_here() else []
    given += ["--inventory-scripts"] if settings.inventory_scripts else []
    for password in settings.vault.sources:
        given += (
            ["--vault-password-file", password.path] if isinstance(password, PasswordFile) else ["--ask-vault-pass"]
        )
    words = ["hvctl", *given, "apply", file]
    return subprocess.list2cmdline(words) if sys.platform == "win32" else shlex.join(words)


def _inventory_here() -> tuple[str, ...]:
    try:
        return find_inventory((), ())
    except ConfigError:
        return ()
