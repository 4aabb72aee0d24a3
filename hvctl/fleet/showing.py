"""What a run says of its hosts on the screen."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from rich.console import Console
from rich.text import Text

from hvctl.call import Event, TransportError
from hvctl.core.check import Check
from hvctl.core.outcome import Outcome
from hvctl.language import listing, said
from hvctl.redaction.redact import Redactor
from hvctl.show.block import Block, grouped
from hvctl.show.diff import diff_lines
from hvctl.show.overview import checked_in_few_words, left_lines, overview_lines
from hvctl.show.plain import plain
from hvctl.show.problems import problem_lines
from hvctl.show.remembered import Remembered
from hvctl.show.report import report_block
from hvctl.show.standing import CALM, MANY, calm, printable, smooth, standing, warned, worst_first
from hvctl.show.state import state_of
from hvctl.show.summary import summary_lines
from hvctl.show.text import WIDEST, plan_block, plan_lines, trace_lines
from hvctl.show.unit import headline, order_lines, units_of

T = TypeVar("T")


class Showing:
    """Secrets masked, and nothing of a host's text that a terminal would obey."""

    def __init__(self, out: Console, err: Console, redactor: Redactor, verbose: int) -> None:
        self._out, self._err, self._redactor, self._verbose = out, err, redactor, verbose

    def plans(self, outcomes: Sequence[Outcome], *, diff: bool = False) -> None:
        hosts = [[one.host for one in unit] for unit in units_of(outcomes)]
        outcomes = self.told(tuple(outcomes))
        known = {one.host: one for one in outcomes}
        units = [[known[host] for host in unit] for unit in hosts]
        alone = [unit[0] for unit in units if len(unit) == 1]
        quiet = {one.host for one in alone if calm(one)}
        folded = quiet if len(quiet) > MANY and not self._verbose else frozenset()
        unlooked = self._folded(one.host for one in outcomes if not one.looked)
        units = [u for u in units if u[0].host not in folded and not all(one.host in unlooked for one in u)]
        if diff or not self._told_once(outcomes):
            for unit in units:
                self._plans_of(unit, diff=diff)
        else:
            same = {g.hosts[0]: g for g in grouped(self._blocks(u[0]) for u in units if len(u) == 1)}
            for unit in units:
                if len(unit) > 1:
                    self._plans_of(unit, diff=False)
                elif unit[0].host in same:
                    self.print(same[unit[0].host].lines(self._width))
        self._say_unlooked(unlooked)
        if folded:
            self.print([Text(said(f"{len(folded)} hosts in sync are not listed; -v lists them"), "dim"), Text()])
        self.print(summary_lines(outcomes))

    def _plans_of(self, unit: Sequence[Outcome], *, diff: bool) -> None:
        """Of hosts that are planned together, or of one by itself."""
        together = len(unit) > 1 and not diff
        if together:
            self.print([headline([one.host for one in unit]), Text()])
        for one in unit:
            if one.plan is not None:
                lines = partial(diff_lines, mask=self._redactor.text) if diff else plan_lines
                self.print(lines(one.plan, width=self._out.width, verbose=self._verbose > 0))
            for block in self._trouble(one):
                self.print(block.lines(self._width))
        if together:
            self.print(order_lines({one.host: one.plan for one in unit if one.plan is not None}, self._out.width))

    def _blocks(self, one: Outcome) -> list[Block]:
        """The same as blocks."""
        planned = [plan_block(one.plan, width=self._width)] if one.plan is not None else []
        return [*planned, *self._trouble(one)]

    def check(self, check: Check, *, everything: bool = False) -> None:
        """What differs, with what earlier checks add. `everything`: also the hosts on which nothing does, and of which
        nothing else is told."""
        check = printable(check)
        hosts = standing(check)
        unlooked = self._folded(one.host for one in hosts if not one.looked)
        hosts = tuple(one for one in hosts if one.host not in unlooked)
        shown = [plain(one) for one in hosts if everything or state_of(one) not in CALM or warned(one)]
        told = Remembered(check.memory, check.finished)
        groups = grouped((self._checked(one, check, told) for one in shown), self._apart(check.outcomes))
        for group in groups:
            self.print(group.lines(self._width))
        self._say_unlooked(unlooked)
        differing = [one for one in hosts if state_of(one) not in CALM]
        self.print(overview_lines(differing, check, groups, width=self._width))
        self.print(summary_lines(check.outcomes, drift=True, memory=check.memory))

    def _checked(self, one: Outcome, check: Check, told: Remembered) -> list[Block]:
        if one.plan is None:
            *first, last = self._trouble(one, told.of_host(one.host))
            return [*first, replace(last, below=(*last.below, Text()))]
        says, verbose = checked_in_few_words(one, check), self._verbose > 0
        return [plan_block(one.plan, width=self._width, verbose=verbose, told=told.of_spot, says=says)]

    def reports(self, outcomes: Sequence[Outcome]) -> None:
        outcomes = self.told(tuple(outcomes))
        self._out.print()
        done = self._folded(one.host for one in outcomes if smooth(one))
        waiting = self._folded(one.host for one in outcomes if one.report is not None and not one.report.begun)
        shown = (one for one in outcomes if one.host not in done and one.host not in waiting)
        groups = grouped(map(self._reported, shown), self._apart(outcomes))
        for group in groups:
            self.print(group.lines(self._width))
        if done:
            self._out.print(said(f"{len(done)} hosts done and seen in sync are not listed; -v lists them"), style="dim")
        if waiting:
            self._out.print(said(f"{len(waiting)} hosts not begun: {listing(waiting)}"), style="yellow", soft_wrap=True)
        if done or waiting:
            self._out.print()
        self.print(left_lines(worst_first(filter(_went_otherwise, outcomes)), groups, width=self._width))
        self.print(summary_lines(outcomes))

    def _reported(self, one: Outcome) -> list[Block]:
        if one.report is not None:
            return [report_block(one.report, width=self._width, verbose=self._verbose > 0)]
        return list(self._trouble(one)) if one.plan is None or one.changed or one.error is not None else []

    @property
    def _width(self) -> int:
        return min(self._out.width, WIDEST)

    def _told_once(self, outcomes: Sequence[Outcome]) -> bool:
        """Whether what is the same on several hosts of these is told once."""
        return len(outcomes) > MANY and not self._verbose

    def _apart(self, outcomes: Sequence[Outcome]) -> Collection[str] | None:
        """Hosts of which each is told by itself: those that are planned together. None: all."""
        if not self._told_once(outcomes):
            return None
        return {one.host for unit in units_of(outcomes) if len(unit) > 1 for one in unit}

    def _folded(self, hosts: Iterable[str]) -> Mapping[str, None]:
        """Of which each would be told the same, in order; none where they are few."""
        found = dict.fromkeys(hosts)
        return found if len(found) > MANY and not self._verbose else {}

    def _say_unlooked(self, hosts: Collection[str]) -> None:
        if hosts:
            told = said(f"{len(hosts)} hosts not looked at: hvctl was stopped")
            self._out.print(told, style="yellow", soft_wrap=True)
            self._out.print()

    def told(self, value: T) -> T:
        """As it may be shown."""
        return plain(self._redactor.value(value))

    def print(self, lines: Iterable[Any]) -> None:
        for line in lines:
            self._out.print(line, soft_wrap=True)

    def _trouble(self, one: Outcome, since: str = "") -> Iterator[Block]:
        if one.error is not None:
            yield self._failed(one.host, one.error, since)
        if one.wrong:
            beside = Text("  ", "not bold").append(said("not contacted"), "not bold red")
            beside.append(": " + said("its configuration is wrong"), "not bold")
            problems = tuple(Text("    ").append(problem) for problem in problem_lines(one.wrong))
            yield Block(one.host, beside=beside, below=problems)
        if one.changed:
            beside = Text(said("  refused: something has changed since the plan was made"), "not bold")
            changed = [Text(said(f"    {line}")) for line in one.changed]
            yield Block(one.host, beside=beside, below=(*changed, Text("    → " + said("make a new plan"))))
        if not one.looked:
            beside = Text("  ", "not bold").append(said("not looked at"), "not bold yellow")
            yield Block(one.host, beside=beside.append(": " + said("hvctl was stopped"), "not bold"))

    def error(self, host: str, error: TransportError) -> None:
        self.print(self._failed(host, error).lines(self._width))

    def _failed(self, host: str, error: TransportError, since: str = "") -> Block:
        error = self.told(error)
        word = "failed" if error.defect else "unreachable" if error.executed == "no" else "lost"
        beside = Text("  ", "not bold").append(said(word) + said(since), "not bold red").append(": ", "not bold")
        hint = (Text(f"    → {said(error.hint)}"),) if error.hint else ()
        return Block(
            host, beside=beside.append(said(error.message), "not bold"), below=(*hint, *trace_lines(error.defect))
        )

    def heard(self, event: Event) -> None:
        self._err.print(said(self.told(event).text), style="dim", soft_wrap=True)


def _went_otherwise(one: Outcome) -> bool:
    """Whether a host of an apply has something to look at; not where a stop or other hosts kept it from its turn."""
    if one.report is not None:
        return one.report.begun and state_of(one) != "applied"
    return bool(one.changed or one.error or one.wrong)
