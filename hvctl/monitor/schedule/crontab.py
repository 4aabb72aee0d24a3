"""A job as a line for crontab(5)."""

from __future__ import annotations

import re
import shlex

from hvctl.monitor.schedule.cron import Cron, evenly
from hvctl.monitor.schedule.job import Job
from hvctl.text.duration import written

_LONGEST = 998  # MAX_COMMAND of Vixie's cron, the most careful of them


def crontab(job: Job) -> str:
    """A comment and the line. Raises ValueError for what cron cannot do."""
    when = job.when if isinstance(job.when, Cron) else evenly(job.when)
    words = [*job.command]
    if job.splay:  # cron has none of its own
        at = words.index(job.verb) + 1
        words[at:at] = ["--splay", written(job.splay)]
    shell = [f"cd {shlex.quote(job.folder)}"]
    if job.secrets_file and job.secrets:
        shell += ["set -a", f". {shlex.quote(job.secrets_file)}", "set +a"]
    settings = [f"{name}={shlex.quote(value)}" for name, value in job.environment]
    shell.append(" ".join(["exec", *(["env", *settings] if settings else []), shlex.join(words)]))
    line = _escaped(" && ".join(shell))
    if len(line) > _LONGEST:
        raise ValueError(f"the command has {len(line)} characters, cron takes {_LONGEST}; use shorter paths")
    return f"# hvctl {job.about} {job.name}, {job.rhythm}\n{when.text} {line}\n"


def _escaped(command: str) -> str:
    """A % ends the command unless a backslash stands before it. That backslash is taken away; one that was there
    already is kept from meeting it by ending the shell's quotes between them (they are single ones, since the
    backslash had to be quoted)."""
    return re.sub(r"(\\?)%", lambda m: r"\''\%" if m[1] else r"\%", command)
