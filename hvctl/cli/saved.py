"""Plan files at the command line: which one is meant, the hosts of it, and what is said about it."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from hvctl.cli.options import Settings
from hvctl.cli.prepared import extra_variables, inventory_of, run_of, today, warn, work_of
from hvctl.config.accepting import dated
from hvctl.config.offline import Desired, offline_problems
from hvctl.config.overlay import Overlay
from hvctl.config.prepare import HostWork, Prepared, find_inventory, names_of
from hvctl.config.reach import different, said
from hvctl.config.vault import PasswordFile
from hvctl.core.outcome import Outcome
from hvctl.fleet.run import Run
from hvctl.saved.planfile import Saved, load
from hvctl.saved.recognition import has_plays, is_plan
from hvctl.saved.sealing import Sealing
from hvctl.show.text import sent_lines
from hvctl.text.diagnostic import ConfigError, Diagnostic, Mark
from hvctl.text.files import why_not

_KNOWN = "what apply of a plan file knows: the inventory, group_vars and host_vars of the current folder, and -e"


def saved_plan(settings: Settings, files: Sequence[str]) -> Saved | None:
    """The plan file, if it is one that is given, or something that is called so and is no playbook. Raises ConfigError."""
    if len(files) != 1:
        return None
    (file,) = files
    called_so = file.casefold().endswith(".json") and Path(file).is_file() and not has_plays(file)
    return load(file, opened_by(settings)) if called_so or is_plan(file) else None


def opened_by(settings: Settings) -> Callable[[str], str]:
    """What gets back values that came encrypted."""
    return lambda text: Sealing(inventory_of(settings), settings.vault).opened(text)


def sealing(settings: Settings, found: Prepared) -> Callable[[str], str]:
    """What hides values that came encrypted."""
    return Sealing(found.inventory, settings.vault).sealed if found.inventory else str


def check_out(file: str, playbooks: Sequence[str]) -> None:
    """Whether a plan file may be written there, before a host is asked. Raises ConfigError."""
    taken = any(Path(playbook).resolve() == Path(file).resolve() for playbook in playbooks)
    if why := "it is the playbook" if taken else why_not(file):
        raise ConfigError([Diagnostic(None, f"--out {file} cannot be written: {why}", "name another file")])


def check_reached(settings: Settings, found: Prepared, extra: Sequence[str]) -> None:
    """A plan file does not say how its hosts are reached: whether apply will reach them as this plan does. Raises
    ConfigError."""
    problems = [
        Diagnostic(mark, f"{host}: {what}", "write it there, or give it with -e")
        for host, mark, what in _reached_otherwise(settings, found, extra)
    ]
    if problems:
        raise ConfigError(problems)


def _reached_otherwise(
    settings: Settings, found: Prepared, extra: Sequence[str]
) -> Iterator[tuple[str, Mark | None, str]]:
    """Of each host, what apply of a plan file would do otherwise, given these variables."""
    if found.inventory is None:
        return
    inventory = found.inventory.beside(Path())
    over = extra_variables(extra, settings.vault)
    for one in found.work:
        host = inventory.hosts[one.name]
        try:
            then = inventory.connection(host, over)
        except ConfigError as error:
            yield from ((host.name, p.mark, f"{p.message}, by {_KNOWN}") for p in error.problems if p.level == "error")
            continue
        for name, was, now in different(then, one.connection):
            if name == "ansible_password":
                if not settings.ask_pass:
                    yield host.name, host.marks.get(name), f"{name} is another one here than by {_KNOWN}"
            else:
                yield host.name, host.marks.get(name), f"{name} is {said(now)} here, and {said(was)} by {_KNOWN}"


def saved_run(settings: Settings, saved: Saved, over: Overlay) -> Run:
    """For the hosts of a plan file, by an inventory that is named or in the current folder: never by one that the plan
    file names or that lies beside it. `over`: variables of the command line, which only say how hosts are reached. Raises
    ConfigError."""
    inventory = inventory_of(settings).beside(Path())
    missing = [one.name for one in saved.hosts if one.name not in inventory.hosts]
    if missing:
        text = f"the inventory {inventory.file} does not have {', '.join(missing)} of the plan {saved.file}"
        raise ConfigError([Diagnostic(None, text, "name the inventory that the plan was made with, by -i")])
    work: list[HostWork] = []
    names = names_of(inventory)
    told: list[Diagnostic] = [*inventory.warnings]
    for one in saved.hosts:
        # Which hosts there are is no part of the file; where a name is another host's now, other steps come of it.
        desired = one.desired
        if desired.together or desired.links:
            desired = desired.knowing(names)
        try:
            work.append(work_of(settings, inventory, inventory.hosts[one.name], dated(desired, today(settings)), over))
        except ConfigError as error:
            told += error.problems
    told += [p for w in work for p in w.connection.warnings]
    told += offline_problems([Desired(w.name, w.connection.os, w.desired) for w in work], seen=True)
    if any(p.level == "error" for p in told):
        raise ConfigError(dict.fromkeys(told))
    warn(settings, dict.fromkeys(told))
    return run_of(settings, Prepared(tuple(work)), frozenset())


def show_saved(settings: Settings, saved: Saved, run: Run, outcomes: Sequence[Outcome]) -> None:
    """What was planned again, and which files of this machine go with it."""
    allows = f"; it allows {', '.join(saved.allow)}" if saved.allow else ""
    made = f"made {saved.created:%Y-%m-%d %H:%M} UTC by hvctl {saved.hvctl}"
    settings.out.print(f"Planned again from {saved.file}, {made}{allows}:", soft_wrap=True)
    run.showing.plans(outcomes)
    for line in sent_lines(o.plan for o in outcomes if o.plan is not None and not o.changed):
        settings.out.print(line, soft_wrap=True)


def apply_command(settings: Settings, found: Prepared, file: str, extra: Sequence[str] = ()) -> str:
    """What applies a plan file, typed in the current folder. `extra`: variables as they were given, of which those are
    told that it takes to reach the hosts."""
    used = settings.inventory or ((found.inventory.file,) if found.inventory else ())
    given = [word for name in used for word in ("-i", name)] if used != _inventory_here() else []
    given += ["--inventory-scripts"] if settings.inventory_scripts else []
    for password in settings.vault.sources:
        given += (
            ["--vault-password-file", password.path] if isinstance(password, PasswordFile) else ["--ask-vault-pass"]
        )
    given += ["--ask-pass"] if settings.ask_pass else []
    needed = [v for n, v in enumerate(extra) if any(_reached_otherwise(settings, found, (*extra[:n], *extra[n + 1 :])))]
    serials = {str(one.serial) for one in found.work if one.serial is not None}
    batches = ["--serial", *serials] if len(serials) == 1 else []  # a plan file keeps neither of both
    most = [n for one in found.work for s in one.at_once for n in (s.play, s.together) if n is not None]
    batches += ["--restarts-at-once", str(min(most))] if most else []
    words = ["hvctl", *given, "apply", file, *batches, *(word for variable in needed for word in ("-e", variable))]
    return subprocess.list2cmdline(words) if sys.platform == "win32" else shlex.join(words)


def _inventory_here() -> tuple[str, ...]:
    try:
        return find_inventory((), ())
    except ConfigError:
        return ()
