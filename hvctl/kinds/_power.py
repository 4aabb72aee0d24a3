"""How a VM is taken from one power state to another (domain 4.4)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from hvctl.call import Call, Ending, Guard, Wanted
from hvctl.core.changes import Bracket, Step, finding
from hvctl.core.facts import Facts, UnreadableError
from hvctl.kinds import _owed, _room, _wait
from hvctl.kinds._machine import Machine
from hvctl.kinds._services import GUIDS, shutdown_service
from hvctl.kinds._vm import power, vm_ref, vm_row
from hvctl.kinds.integration_services import IntegrationServices
from hvctl.text.diagnostic import Diagnostic

Because = tuple[str, ...]
ANSWER_S = 60
"""How long a guest may take to answer to a service that was just enabled: some seconds (domain 11.1)."""
CUT = "has its power cut: what its guest has not written to its disks is lost"


@dataclass(frozen=True)
class Power:
    """A VM's power. `cut`: it is turned off instead of asked to shut down; `timeout_s`: how long it may take when
    asked."""

    vm: Machine
    facts: Facts
    cut: bool
    timeout_s: int

    @property
    def name(self) -> str:
        return self.vm.key()

    @property
    def now(self) -> str:
        return power(vm_row(self.vm, self.facts))

    def bracket(self, wanted: str, because: Because) -> Bracket:
        """Down from what it is in, and up to what is wanted. The way up needs only the way down: one that hvctl
        stopped is started again even when a step between failed."""
        start = () if wanted == "off" else tuple(self.started(("state",)))
        then = {"paused": ("Suspend-VM", "pause"), "saved": ("Save-VM", "save")}.get(wanted)
        if then:
            start = (*start, self._step(then[0], f"{then[1]} {self.name}", because, start))
        told = wanted == "off" and bool(because)  # its own finding says so
        down = tuple(self.stopped(because))
        if start:
            noted = _owed.noted(self.vm, wanted, self.facts)
            down = (*noted, *(replace(step, needs=(*step.needs, *noted)) for step in down))
            start = (*start, *_owed.settled(self.vm, wanted, self.facts, start[-1:]))
            if wanted == "running":
                start = (*start, *_wait.awaited(self.vm, self.facts, start[:1]))
        return Bracket(down, start, () if told else (*self._lost(wanted), *self.doubts()))

    def _lost(self, wanted: str) -> Iterator[Diagnostic]:
        """What taking it down loses, said before consent."""
        if self.now == "Saved":
            after = ", and it stays off afterwards" if wanted == "off" else ""
            text = f"{self.name} is saved, and this needs it off: its saved memory is lost{after}"
            yield finding("", text, "start it first to keep what its guest has open", "warning")
        elif self.cut:
            yield finding("", f"{self.name} {CUT}", "", "warning")
        if wanted != "off" and not _room.changes_startup(self.vm, self.facts):
            yield from _room.short(self.vm, "", self.facts)

    def steps(self, now: str, wanted: str) -> Iterator[Step]:
        because = ("state",)
        if wanted == "running" and now in ("paused", "saved"):
            # First: asleep it takes hardly any change of its hardware, and awake what a running one takes (trap 15).
            verb = "Resume" if now == "paused" else "Start"
            vm = vm_ref(self.vm, self.facts)
            yield Step(Call(f"{verb}-VM", {"VM": vm}), f"{verb.lower()} {self.name}", because, when="wake")
            yield from _wait.awaited(self.vm, self.facts)
        elif wanted == "running":
            yield from self.started(because)
            yield from _wait.awaited(self.vm, self.facts)
        elif wanted == "off":
            yield from self.stopped(because)
        elif wanted == "saved":
            yield self._step("Save-VM", f"save {self.name}", because)
        elif wanted == "paused":
            started = tuple(self.started(because)) if now in ("off", "saved") else ()
            yield from started
            yield self._step("Suspend-VM", f"pause {self.name}", because, started)

    def started(self, because: Because) -> Iterator[Step]:
        yield self._step("Start-VM", f"start {self.name}", because)

    def stopped(self, because: Because) -> Iterator[Step]:
        """Off, from whatever it is in. The guest is asked and given its time; -Force is never sent without
        -TurnOff, since it either hangs or hides a power cut."""
        vm = vm_ref(self.vm, self.facts)
        if self.now == "Saved":
            call = Call("Remove-VMSavedState", {"VM": vm})
            yield Step(call, f"discard the saved state of {self.name}", because, when="first")
        elif self.cut:
            call = Call("Stop-VM", {"VM": vm, "TurnOff": True, "Force": True})
            yield Step(call, f"cut the power of {self.name}", because, when="first")
        else:
            resumed: tuple[Step, ...] = ()
            if self.now == "Paused":  # a paused guest hears nothing
                resumed = (Step(Call("Resume-VM", {"VM": vm}), f"resume {self.name}", because, when="first"),)
                yield from resumed
            yield Step(
                Call("Stop-VM", {"VM": vm}),
                f"shut down the guest of {self.name}",
                because,
                when="first",
                job=True,
                limit_s=self.timeout_s,
                needs=resumed,
                guard=self._heard() if self._enabled_first() else None,
            )

    def _heard(self) -> Guard:
        """The guest answers to the shutdown service."""
        call = Call("Get-VMIntegrationService", {"VM": vm_ref(self.vm, self.facts)})
        where: dict[str, Wanted] = {"Id": Ending(f"\\{GUIDS['shutdown']}"), "PrimaryOperationalStatus": "Ok"}
        return Guard(call, where | {"Enabled": True}, 1, 1, wait_s=ANSWER_S)

    def _enabled_first(self) -> bool:
        """Whether the shutdown service is off, and the playbook has it enabled."""
        row = vm_row(self.vm, self.facts)
        wanted = any(p.shutdown for p in self.vm.parts_of(IntegrationServices))
        try:
            service = shutdown_service(row["Id"], self.facts) if row and wanted else None
        except UnreadableError:
            return False  # the doubts say it
        return service is not None and not service[0]

    def doubts(self) -> Iterator[Diagnostic]:
        """Without the guest's shutdown service nobody hears the request: Stop-VM fails at once then, since without a
        console it cannot ask whether to force it (domain 4.4)."""
        row = vm_row(self.vm, self.facts)
        if row is None or self.cut or self.now not in ("Running", "Paused"):
            return
        try:
            service = shutdown_service(row["Id"], self.facts)
        except UnreadableError as error:
            if error.property:
                raise  # what is there and cannot be read may well say no
            service = None
        if service is None:
            text = f"it is not known whether the guest of {self.name} can be asked to shut down"
            yield finding("", text, "see its integration services", "warning")
            return
        enabled, answers = service
        paused = self.now == "Paused"  # it has no contact then, and is resumed before it is asked
        if enabled and (paused or answers):
            return
        if self._enabled_first():
            text = f"the shutdown service of {self.name} is enabled first; the guest may take a while to answer"
            yield finding("", text, f"its answer is waited for, up to {ANSWER_S} s", "warning")
            return
        state = "has no contact with its guest" if enabled else "is disabled"
        yield finding(
            "",
            f"{self.name} cannot be shut down: its shutdown service {state}",
            "shut it down from within"
            + ("" if enabled else ", enable the service")
            + ", or write stop_method: turn_off, which cuts the power and needs --allow destroy",
        )

    def _step(self, cmdlet: str, text: str, because: Because, needs: tuple[Step, ...] = ()) -> Step:
        return Step(Call(cmdlet, {"VM": vm_ref(self.vm, self.facts)}), text, because, needs=needs, when="last")
