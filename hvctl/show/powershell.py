"""A plan as a PowerShell script that an administrator can read, and run by hand on the host. hvctl itself runs no text.

The script makes the calls that an apply makes, in the same order: what a step refers to is looked up just before it, a
guard is asked before its call. It has Windows PowerShell 3 in mind, which came with Windows Server 2012."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hvctl import __version__
from hvctl.call import Call, Ending, Guard, Home, Map, Matching, Null, Ref, Secret, Staged, Task, Value, Wanted
from hvctl.contract import at_least, contract, title
from hvctl.core.check import Check
from hvctl.core.outcome import Outcome
from hvctl.core.plan import Plan, PlannedStep
from hvctl.show.times import clock
from hvctl.text.address import Address
from hvctl.text.masks import MASK
from hvctl.text.quoting import argument, expandable, literal
from hvctl.text.visible import visible

_INDENT = "    "
_PATHS = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

_STRICT = """\
$ErrorActionPreference = 'Stop'
# Commands that are functions of a module, as those of NetTCPIP, do not see that of a script.
$PSDefaultParameterValues = @{ '*:ErrorAction' = 'Stop' }"""
_SELECT_ONE = """\
# The one object that is meant: with none, or with several, nothing is done.
function Select-One($Objects, $What) {
    if (@($Objects).Count -ne 1) { throw "expected 1 $What, found $(@($Objects).Count)" }
    @($Objects)[0]
}"""
_ASSERT = """\
# What a step rests on: between so many and so many objects.
function Assert-Count($Objects, $Least, $Most, $Unmet) {
    if (@($Objects).Count -lt $Least -or @($Objects).Count -gt $Most) { throw $Unmet }
}"""
_JOB = """\
# A job, followed to its end or for so many seconds.
function Complete-Job($Job, $Seconds) {
    for ($waited = 0; 'NotStarted', 'Running' -contains "$($Job.State)"; $waited += 2) {
        if ($Seconds -and $waited -ge $Seconds) { throw "not done after $Seconds s; it goes on on the host" }
        Start-Sleep -Seconds 2
    }
    Receive-Job -Job $Job
}"""
_SECRET = """\
# A value that is in no file: it is asked for.
function Read-Secret($What) {
    $secure = Read-Host -Prompt $What -AsSecureString
    (New-Object -TypeName System.Net.NetworkCredential -ArgumentList '', $secure).Password
}"""
_FUNCTIONS = {"Select-One": _SELECT_ONE, "Assert-Count": _ASSERT, "Complete-Job": _JOB, "Read-Secret": _SECRET}
"""By the name that a step calls; only those that one does are written."""


def rendered(check: Check) -> str:
    """One script for all hosts of a check: each does what is for itself."""
    plans = [plan for one in check.outcomes if (plan := one.now) is not None]
    scripts = [_Script(plan) for plan in plans]
    bodies = [list(script.lines()) for script in scripts]
    used = [name for name in _FUNCTIONS if any(f"{name} " in line for body in bodies for line in body)]
    lines = [*_head(check, plans), "", *_STRICT.splitlines()]
    for name in used:
        lines += ["", *_FUNCTIONS[name].splitlines()]
    computers = [plan.info.computer for plan in plans]
    if len(plans) == 1:
        why = f"this script is for {computers[0]}"
        lines += ["", f"if ($env:COMPUTERNAME -ne {_text(computers[0])}) {{ throw {_text(why)} }}", *bodies[0]]
    elif plans:
        known = ", ".join(map(_text, computers))
        lines += [
            "",
            f"if ({known} -notcontains $env:COMPUTERNAME) {{ throw 'this script is for {len(plans)} other hosts' }}",
        ]
    for plan, body in zip(plans, bodies, strict=True) if len(plans) > 1 else ():
        lines += ["", f"if ($env:COMPUTERNAME -eq {_text(plan.info.computer)}) {{"]
        lines += [f"{_INDENT}{line}" if line else "" for line in body[1:]]
        lines.append("}")
    return "\n".join(lines) + "\n"


def _head(check: Check, plans: Sequence[Plan]) -> Iterator[str]:
    yield f"# Written by hvctl {__version__} at {clock(check.started)} from {visible(', '.join(check.playbooks))}."
    yield "# For reading, and for running by hand in an elevated Windows PowerShell on the host: it makes the calls that"
    yield "# `hvctl apply` makes, in their order, as the host was when the plan was made. It stops at the first error; what was"
    yield "# done until then stays. Unlike an apply it keeps no journal and no lock, and nobody looks at the host again:"
    yield "# `hvctl plan` says afterwards what is left."
    for plan in plans:
        count = len(plan.steps)
        name = (
            plan.host
            if plan.host.casefold() == plan.info.computer.casefold()
            else f"{plan.host} ({plan.info.computer})"
        )
        yield "#"
        yield f"# {visible(name)}, {title(plan.os)} ({plan.info.build}): {count} step{'s' * (count != 1)}."
        yield from _not_done(plan)
    for one in check.outcomes:
        if one.now is None:
            yield "#"
            yield f"# {visible(one.host)}: no plan, {_why_none(one)}."


def _not_done(plan: Plan) -> Iterator[str]:
    """What the plan leaves undone, and why."""
    for action in plan.actions:
        what = f"{action.address.kind.replace('_', ' ')} {action.title}".strip()
        for line in action.blocked:
            allow = ", ".join(f"--allow {word}" for word in line.consent)
            yield f"#   not done: {visible(what)}: {visible(line.field)}, needs {allow}"
        for remark in action.remarks:
            if remark.level != "warning":
                yield f"#   not done: {visible(what)}: {visible(remark.message)}"


def _why_none(one: Outcome) -> str:
    if one.error is not None:
        return visible(one.error.message)
    return "its configuration is wrong" if one.wrong else "it was not looked at"


@dataclass
class _Script:
    """The lines of one host. What must be asked for, since no file holds it, stands first."""

    plan: Plan
    asked: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    body: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        before: Address | None = None
        for number, step in enumerate(self.plan.steps, 1):
            if step.action != before:
                self.body += ["", *self._heading(step.action)]
                before = step.action
            self.body += _Step(self, number, step).lines()
        yield ""
        yield from self._modules()
        for name, what in self.files.items():
            yield f"{name} = Read-Host -Prompt {_text(f'The path on this host of {what}')}"
        for what, name in self.asked.items():
            yield f"{name} = Read-Secret {_text(what)}"
        yield from self.body or ["", "# There is nothing to do."]

    def _modules(self) -> Iterator[str]:
        facts = contract(self.plan.os)
        used = {facts.module_of(c.cmdlet) for s in self.plan.steps for c in _calls(s.task)}
        for name in sorted(used):
            if name.startswith("Microsoft.PowerShell."):
                continue  # always there
            # Both versions are there from 2016 on; with 1.1 some values differ (domain 1.1).
            newer = " -MinimumVersion 2.0" if name == "Hyper-V" and at_least(self.plan.os, "2016") else ""
            yield f"Import-Module -Name {argument(name)}{newer}"

    def _heading(self, address: Address) -> Iterator[str]:
        action = next((a for a in self.plan.actions if a.address == address), None)
        where = f"   ({visible(str(action.mark))})" if action is not None else ""
        title_ = f" {visible(action.title if action is not None else address.key)}".rstrip()
        yield f"# --- {address.kind.replace('_', ' ')}{title_}{where}"
        for line in action.lines if action is not None else ():
            if line.field and not line.consent and not line.held:
                yield f"#   {visible(line.field)}: {visible(line.now)} -> {visible(line.wanted)}"

    def secret(self, what: str) -> str:
        return self.asked.setdefault(what, f"$Secret{len(self.asked) + 1}")

    def file(self, staged: Staged) -> str:
        what = f"{staged.name} ({staged.size:,} bytes, sha256 {staged.sha256})"
        known = next((name for name, said in self.files.items() if said == what), None)
        if known is None:
            known = f"$File{len(self.files) + 1}"
            self.files[known] = what
        return known


def _set(value: Value) -> str:
    return f"({', '.join(map(str, value))})" if isinstance(value, tuple) else str(value)


@dataclass
class _Step:
    """One step: its lookups, its guard, its call. `names`: of the variables that hold what a lookup or a Ref found."""

    script: _Script
    number: int
    step: PlannedStep
    names: dict[Any, str] = field(default_factory=dict)

    def lines(self) -> Iterator[str]:
        task = self.step.task
        for other in self.step.awaits:
            prompt = f"{other.host} must first have done: {other.text}. Press Enter when it has"
            yield f"$null = Read-Host -Prompt {_text(prompt)}"
        yield f"# {self.number}. {visible(self.step.text)}"
        needed = list(_lookups(task))
        if task.guard is not None and task.guard.wait_s:
            yield from self._waiting(task.guard, task.guard.wait_s, needed)
            yield from self._meant(task.call.refs())
        else:
            for call in needed:
                yield from self._lookup(call)
            if task.guard is not None:
                yield f"Assert-Count {self._counted(task.guard)} {_text(_unmet(task.guard))}"
        yield from self._if_any(task.call, self._run(task))
        if task.instead is not None:
            given = ", ".join(f"{name} to {_set(value)}" for name, value in task.instead.values.items())
            yield visible(f"# If that way is not available here, set on the object of {task.instead.to.call}: {given}")

    def _waiting(self, guard: Guard, wait_s: int, needed: Iterable[Call]) -> Iterator[str]:
        """Everything is looked up again while it waits; what the step itself means of it is known afterwards."""
        yield "for ($waited = 0; $true; $waited += 2) {"
        for call in needed:
            yield from (f"{_INDENT}{line}" for line in (*self._meant(call.refs()), self._objects(call)))
        found, least, most = self._guarded(guard), guard.least, guard.most
        yield f"{_INDENT}$found = {found}.Count"
        enough = f"$found -ge {least} -and " if least else ""
        yield f"{_INDENT}if ({enough}$found -le {most}) {{ break }}"
        yield f"{_INDENT}if ($waited -ge {wait_s}) {{ throw {_text(_unmet(guard))} }}"
        yield f"{_INDENT}Start-Sleep -Seconds 2"
        yield "}"

    def _counted(self, guard: Guard) -> str:
        return f"{self._guarded(guard)} {guard.least} {guard.most}"

    def _guarded(self, guard: Guard) -> str:
        where = self._where(guard.where, lenient=False)
        return f"@({' | '.join([self.names[_asked(guard.call)], *where])})"

    # --- lookups --------------------------------------------------------------------------------------------------

    def _objects(self, call: Call) -> str:
        """All objects of a call."""
        own = self._fresh(f"{_noun(call)}s", _asked(call))
        made = "".join(self._if_any(call, [self._command(call)], joined=True))
        return f"{own} = @({made})"

    def _meant(self, refs: Iterable[Ref]) -> Iterator[str]:
        """What is meant of objects that are there."""
        for ref in dict.fromkeys(refs):
            yield self._selected(ref, self.names[_asked(ref.call)])

    def _lookup(self, call: Call) -> Iterator[str]:
        """The objects of a call, and what is meant of them."""
        refs = list(dict.fromkeys(r for r in self._refs() if _asked(r.call) == _asked(call)))
        guard = self.step.task.guard
        guarded = guard is not None and _asked(guard.call) == _asked(call)
        perhaps = any(ref.many for ref in _own_refs(call.params.values()))
        if len(refs) == 1 and not guarded and not perhaps:
            yield self._selected(refs[0], self._command(call))
            return
        yield self._objects(call)
        yield from self._meant(refs)

    def _refs(self) -> Iterator[Ref]:
        task = self.step.task
        for call in _calls(task):
            yield from call.refs()

    def _selected(self, ref: Ref, objects: str) -> str:
        key = replace(ref, call=_asked(ref.call))
        name = self._fresh(ref.path or (f"{_noun(ref.call)}s" if ref.many else _noun(ref.call)), key)
        parts = [objects]
        if ref.within:
            parts.append(f"ForEach-Object {{ $_.{_path(ref.within)} }}")
        parts += self._where(ref.where, lenient=ref.lenient)
        if ref.many:
            if ref.path:
                parts.append(f"ForEach-Object {{ $_.{_path(ref.path)} }}")
            if len(parts) > 1:
                parts.append("Where-Object { $null -ne $_ }")
            return f"{name} = @({' | '.join(parts)})"
        conditions = ", ".join(f"{path} {visible(str(wanted))}" for path, wanted in ref.where.items())
        what = f"{_noun(ref.call)}{conditions and f' with {conditions}'}"
        found = f"Select-One @({' | '.join(parts)}) {_text(what)}"
        return f"{name} = ({found}).{_path(ref.path)}" if ref.path else f"{name} = {found}"

    def _fresh(self, word: str, key: Any) -> str:
        """A variable of a name that tells what it holds; the same one when it is looked up again."""
        if key in self.names:
            return self.names[key]
        plain = "".join(_PATHS.findall(word.rpartition(".")[2])) or "one"
        plain = plain[:1].lower() + plain[1:] if not plain[:2].isupper() else plain.lower()[:2] + plain[2:]
        taken = {name.casefold() for name in self.names.values()}
        name = next(n for i in range(1, 1000) if (n := f"${plain}{i if i > 1 else ''}").casefold() not in taken)
        self.names[key] = name
        return name

    def _where(self, where: Mapping[str, Wanted], *, lenient: bool) -> list[str]:
        """Values compare as the text that PowerShell prints of them, without case."""
        if not where:
            return []
        conditions = [self._condition(path, wanted, lenient) for path, wanted in where.items()]
        return [f"Where-Object {{ {' -and '.join(conditions)} }}"]

    def _condition(self, path: str, wanted: Wanted, lenient: bool) -> str:
        value = f'"$($_.{_path(path)})"' if path else '"$_"'
        if isinstance(wanted, Ending):
            found = f"{value}.EndsWith({self._text(wanted.text)}, 'OrdinalIgnoreCase')"
        elif isinstance(wanted, Matching):
            found = f"{value} -match {self._text(wanted.pattern)}"
        else:
            found = f"{value} -eq {self._text(str(wanted))}"
        return f"($null -eq $_.PSObject.Properties[{_text(path)}] -or {found})" if lenient else found

    # --- calls -----------------------------------------------------------------------------------------------------

    def _run(self, task: Task) -> list[str]:
        command = self._command(task.call)
        if task.job:
            limit = task.limit_s or 0
            return [f"Complete-Job ({command} -AsJob) {limit}"]
        if task.retry is None:
            return [command]
        return [
            "for ($waited = 0; $true; $waited += 2) {",
            f"{_INDENT}try {{ {command}; break }}",
            f"{_INDENT}catch {{ if ($waited -ge {task.retry.limit_s} -or "
            f'"$($_.FullyQualifiedErrorId)" -notlike {_text(f"{task.retry.kind},*")}) {{ throw }} }}',
            f"{_INDENT}Start-Sleep -Seconds 2",
            "}",
        ]

    def _if_any(self, call: Call, lines: Sequence[str], *, joined: bool = False) -> Iterator[str]:
        """A call that needs objects of which there may be none is made where there are some."""
        needed = [self._name(ref) for ref in _own_refs(call.params.values()) if ref.many]
        if not needed:
            yield from lines
        elif joined:
            yield f"if ({' -and '.join(f'{n}.Count' for n in needed)}) {{ {'; '.join(lines)} }}"
        else:
            yield f"if ({' -and '.join(f'{n}.Count' for n in needed)}) {{"
            yield from (f"{_INDENT}{line}" for line in lines)
            yield "}"

    def _command(self, call: Call) -> str:
        if call.follow is not None:
            raise ValueError(f"{call.cmdlet}: what is followed has no words in a script")
        given = {name: value for name, value in call.params.items() if value is not None}
        if call.each is None:
            return " ".join([call.cmdlet, *(self._parameter(n, v) for n, v in given.items())])
        rest = " ".join(self._parameter(n, v) for n, v in given.items() if n != call.each)
        one = f"{call.cmdlet} -{call.each} $_ {rest}".rstrip()
        return f"{self._expression(given[call.each])} | ForEach-Object {{ {one} }}"

    def _parameter(self, name: str, value: Any) -> str:
        # `-Force $true` would be a switch and a positional argument (about_Parameters).
        if isinstance(value, bool):
            return f"-{name}:${str(value).lower()}"
        if isinstance(value, str) and MASK not in value:
            return f"-{name} {argument(value)}"
        return f"-{name} {self._expression(value)}"

    def _expression(self, value: Any) -> str:
        match value:
            case bool():
                return f"${str(value).lower()}"
            case None | Null():
                return "$null"
            case int():
                return str(value)
            case str():
                return self._text(value)
            case Secret():
                return self.script.secret(f"The secret of step {self.number}, {visible(self.step.text)}")
            case Home(path=path) if MASK in path:
                return f'(Join-Path -Path "$env:ProgramData\\hvctl" -ChildPath {self._text(path)})'
            case Home(path=path):
                return f'"$env:ProgramData\\hvctl\\{expandable(path)}"'
            case Staged():
                return self.script.file(value)
            case Map(items=items):
                return "@{" + "; ".join(f"{literal(k)} = {self._expression(v)}" for k, v in items.items()) + "}"
            case Ref():
                return self._name(value)
            case list() | tuple():
                return f"@({', '.join(self._expression(v) for v in value)})"
        raise TypeError(f"a {type(value).__name__} has no words in a script")

    def _name(self, ref: Ref) -> str:
        return self.names[replace(ref, call=_asked(ref.call))]

    def _text(self, text: str) -> str:
        """What was masked is known to nobody who reads the plan."""
        if MASK not in text:
            return literal(text)
        told = f"A value of step {self.number}, {visible(self.step.text)}: {visible(text)}, with what *** stands for"
        return self.script.secret(told)


def _text(text: str) -> str:
    return literal(text)


def _unmet(guard: Guard) -> str:
    return guard.unmet or f"{guard.call.cmdlet}: the host is no longer as this step needs it"


def _asked(call: Call) -> Call:
    """What is selected makes no difference to the objects."""
    return replace(call, select=())


def _noun(call: Call) -> str:
    return call.cmdlet.partition("-")[2]


def _path(path: str) -> str:
    """Properties of properties."""
    return ".".join(part if _PATHS.fullmatch(part) else literal(part) for part in path.split("."))


def _own_refs(values: Iterable[Any]) -> Iterator[Ref]:
    """Those that a call passes on as they are, or in a list."""
    for value in values:
        if isinstance(value, Ref):
            yield value
        elif isinstance(value, list | tuple):
            yield from _own_refs(value)


def _lookups(task: Task) -> Iterator[Call]:
    """Before a step, each once: what a lookup refers to before itself."""
    seen: set[Call] = set()

    def visit(call: Call) -> Iterator[Call]:
        if _asked(call) in seen:
            return
        for ref in call.refs():
            yield from visit(ref.call)
        if _asked(call) not in seen:
            seen.add(_asked(call))
            yield call

    for ref in task.call.refs():
        yield from visit(ref.call)
    if task.guard is not None:
        yield from visit(task.guard.call)


def _calls(task: Task) -> Iterator[Call]:
    """The call, and all that it and its guard look up."""
    yield from _lookups(task)
    yield task.call
