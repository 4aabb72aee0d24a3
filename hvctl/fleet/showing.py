"""What a run says of its hosts on the screen."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from rich.console import Console
from rich.text import Text

from hvctl.call import Event, TransportError
from hvctl.core.check import Check
from hvctl.core.outcome import Outcome
from hvctl.language import listing, said
from hvctl.redaction.redact import Redactor
from hvctl.show.diff import diff_lines
from hvctl.show.overview import checked_in_few_words, left_lines, overview_lines
from hvctl.show.plain import plain
from hvctl.show.problems import problem_lines
from hvctl.show.remembered import Remembered
from hvctl.show.report import report_lines
from hvctl.show.standing import CALM, MANY, calm, printable, smooth, standing, warned, worst_first
from hvctl.show.state import state_of
from hvctl.show.summary import summary_lines
from hvctl.show.text import plan_lines, trace_lines
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
        for unit in units:
            if unit[0].host not in folded and not all(one.host in unlooked for one in unit):
                self._plans_of(unit, diff=diff)
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
            self._say_trouble(one)
        if together:
            self.print(order_lines({one.host: one.plan for one in unit if one.plan is not None}, self._out.width))

    def check(self, check: Check, *, everything: bool = False) -> None:
        """What differs, with what earlier checks add. `everything`: also the hosts on which nothing does, and of which
        nothing else is told."""
        check = printable(check)
        told = Remembered(check.memory, check.finished)
        hosts = standing(check)
        unlooked = self._folded(one.host for one in hosts if not one.looked)
        hosts = tuple(one for one in hosts if one.host not in unlooked)
        shown = [plain(one) for one in hosts if everything or state_of(one) not in CALM or warned(one)]
        for one in shown:
            if one.plan is not None:
                says, verbose = checked_in_few_words(one, check), self._verbose > 0
                lines = plan_lines(one.plan, width=self._out.width, verbose=verbose, told=told.of_spot, says=says)
                self.print(lines)
            else:
                self._say_trouble(one, told.of_host(one.host))
                self._out.print()
        self._say_unlooked(unlooked)
        self.print(overview_lines([one for one in hosts if state_of(one) not in CALM], check, width=self._out.width))
        self.print(summary_lines(check.outcomes, drift=True, memory=check.memory))

    def reports(self, outcomes: Sequence[Outcome]) -> None:
        outcomes = self.told(tuple(outcomes))
        self._out.print()
        done = self._folded(one.host for one in outcomes if smooth(one))
        waiting = self._folded(one.host for one in outcomes if one.report is not None and not one.report.begun)
        for one in outcomes:
            if one.host in done or one.host in waiting:
                continue
            if one.report is not None:
                self.print(report_lines(one.report, width=self._out.width, verbose=self._verbose > 0))
            elif one.plan is None or one.changed or one.error is not None:
                self._say_trouble(one)
        if done:
            self._out.print(said(f"{len(done)} hosts done and seen in sync are not listed; -v lists them"), style="dim")
        if waiting:
            self._out.print(said(f"{len(waiting)} hosts not begun: {listing(waiting)}"), style="yellow", soft_wrap=True)
        if done or waiting:
            self._out.print()
        self.print(left_lines(worst_first(filter(_went_otherwise, outcomes)), width=self._out.width))
        self.print(summary_lines(outcomes))

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

    def _say_trouble(self, one: Outcome, since: str = "") -> None:
        if one.error is not None:
            self.error(one.host, one.error, since)
        if one.wrong:
            told = Text(one.host, "bold").append("  ", "not bold").append(said("not contacted"), "not bold red")
            self._out.print(told.append(": " + said("its configuration is wrong"), "not bold"), soft_wrap=True)
            for problem in problem_lines(one.wrong):
                self._out.print("    ", problem, sep="", soft_wrap=True)
        if one.changed:
            why = said("  refused: something has changed since the plan was made")
            self._out.print(Text(one.host, "bold").append(why, "not bold"), soft_wrap=True)
            for line in one.changed:
                self._out.print(said(f"    {line}"), soft_wrap=True)
            self._out.print("    → " + said("make a new plan"), soft_wrap=True)
        if not one.looked:
            told = Text(one.host, "bold").append("  ", "not bold").append(said("not looked at"), "not bold yellow")
            self._out.print(told.append(": " + said("hvctl was stopped"), "not bold"), soft_wrap=True)

    def error(self, host: str, error: TransportError, since: str = "") -> None:
        error = self.told(error)
        word = "failed" if error.defect else "unreachable" if error.executed == "no" else "lost"
        line = (
            Text(host, "bold")
            .append("  ", "not bold")
            .append(said(word) + said(since), "not bold red")
            .append(": ", "not bold")
        )
        self._out.print(line.append(said(error.message), "not bold"), soft_wrap=True)
        if error.hint:
            self._out.print(f"    → {said(error.hint)}", soft_wrap=True)
        self.print(trace_lines(error.defect))

    def heard(self, event: Event) -> None:
        self._err.print(said(self.told(event).text), style="dim", soft_wrap=True)


def _went_otherwise(one: Outcome) -> bool:
    """Whether a host of an apply has something to look at; not where a stop or other hosts kept it from its turn."""
    if one.report is not None:
        return one.report.begun and state_of(one) != "applied"
    return bool(one.changed or one.error or one.wrong)
