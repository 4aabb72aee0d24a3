"""A simulated Hyper-V host: state, the table of cmdlets, binding by the contract, a log of calls.

It does not model:
- what a VM uses of its host (`usage` of a starting state says it), what a crash loses of what was metered;
- what is inside guests, beyond how they shut down, whether integration services answer and what was copied into them;
- traffic: what a NAT, a route or a second default gateway does to it; routes but default ones and those of addresses, metrics,
  profiles and rules of the firewall, leases as time passes, an address that another machine takes later;
- moving the storage of a VM as a whole on its host (Move-VMStorage -DestinationStoragePath), or disks with checkpoints;
- moves of a VM to another host beyond what mocks/migration.py lists: the network that one takes, its blackout, half a copy;
- import, of Hyper-V Replica what mocks/replicating.py says at its top, clusters beyond mocks/cluster.py,
  Fibre Channel, RemoteFX, assigning devices and GPU partitions (those of a starting state are shown), what shielding forbids,
  what is in a key protector, resource pools beyond their names, what ACLs and extensions do to traffic, other extensions
  than Microsoft's three, routing domains, RDMA, storage QoS policies, what AVMA does (its events are those of the starting
  state), event logs beyond their lines;
- what a VLAN says as isolation and the other way round: each view keeps what it was told;
- Restore-VMSnapshot, Rename-VMSnapshot, branches of checkpoints (a checkpoint keeps its disks, not its settings);
- what is in an export (its files have sizes only), Export-VMSnapshot, an export that is cancelled;
- drive letters and file systems of disks that are mounted (their partitions are those of the starting state),
  Optimize-VHD, Merge-VHD, VHD Sets beyond their format, sector-level content of disks (`minimum_size` is what the state
  says), file system rights, shares (a UNC path is never there);
- -ComputerName, -CimSession and -Credential (it is always this host), -ThrottleLimit, pools, verbose output;
- the boot time of guests, wear of time on counters; a restart of the host is only what `reboot` does;
- quirks of one PowerShell process: the failed cast when a disk follows a DVD drive in its place, a slot to be found
  anew after -Path $null; guest addresses that come late; a broken registration that blinds Get-VM;
- messages of the parameter binder in Japanese (the binder speaks English; its ids are right);
- live objects: what a cmdlet returned keeps the values of that moment, but passing it on acts on the present.
Cmdlets that the contract knows and the table does not answer `NotSimulated`: loud, never a silent success.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import yaml

import mocks.cmdlets  # noqa: F401  fills the table
from hvctl.contract import OS, BindError, bind, contract
from mocks import files, metering
from mocks.arguments import Arguments, plain
from mocks.assignment import assign
from mocks.clock import Clock
from mocks.cmdlets.export import go_on
from mocks.cmdlets.integration_service import fall_silent
from mocks.command import CHOOSING, TABLE, Command, Ended, Entry, class_of
from mocks.complete import complete
from mocks.complete import vhd as complete_disk
from mocks.failures import Failures
from mocks.identity import build, caption, powershell
from mocks.messages import say
from mocks.objects import ErrorAction, ErrorRecord, Job, Outcome, Refusal
from mocks.schema import dump, load
from mocks.state import Content, HostState, Vhd

if TYPE_CHECKING:
    from mocks.estate import Estate


@dataclass
class Invocation:
    """One call that was executed. `params`: plain data, objects as {"VirtualMachine": "web01"}."""

    cmdlet: str
    params: dict[str, Any]
    errors: tuple[str, ...] = ()
    objects: int = 0


class SimulatedHost:
    """Time: an invocation does not let time pass by itself; `Outcome.took` says how long the cmdlet blocked, and
    whoever drives the host sleeps that long on its clock. What goes on in the background happens as time passes."""

    def __init__(self, state: HostState, clock: Clock | None = None) -> None:
        self.state = complete(state)
        self.clock = clock or Clock()
        self.log: list[Invocation] = []
        self.failures = Failures()
        self.estate: Estate | None = None
        """The hosts that it knows."""
        self.says: dict[str, Any] = {}  # what its runners say of themselves otherwise than it would be expected
        for vm in self.state.vms:
            go_on(self.state, self.clock, vm)

    @classmethod
    def from_yaml(cls, source: str | Path | Mapping[str, Any], clock: Clock | None = None) -> SimulatedHost:
        if isinstance(source, str | Path):
            return cls(load(yaml.safe_load(Path(source).read_text(encoding="utf-8"))), clock)
        return cls(load(deepcopy(dict(source))), clock)

    @property
    def os(self) -> OS:
        return cast(OS, self.state.os)

    @property
    def language(self) -> str:
        return self.state.language

    @property
    def reachable(self) -> bool:
        """False while the network path that WinRM uses is cut (observations 4: 5 to 15 s when an external switch
        is made over it) or for good, when the management OS lost its adapter; or it has no power."""
        lost = self.estate is not None and self.estate.name_of(self) in self.estate.lost
        return not lost and self.clock.now() >= self.state.unreachable_until

    def hello(self) -> dict[str, Any]:
        """Who answers, as the runner says it."""
        japanese = self.language == "ja"
        return {
            "computer": self.state.name.upper(),
            "build": build(self.state),
            "caption": caption(self.state),
            "powershell": powershell(self.state),
            "language_mode": self.state.language_mode,
            "culture": "ja-JP" if japanese else "en-US",
            "user": self.state.user,
            **self.says,
        }

    def reboot(self, seconds: float) -> None:
        """What runs is saved or stopped and comes back by its automatic start action; vmms answers again
        some time after WinRM does, `seconds` from now [I]."""
        self.clock.forget()
        metering.settle(self.state, self.clock.now())
        for vm in self.state.vms:
            saved = vm.automatic_stop_action == "Save"
            if vm.state == "Running" and vm.automatic_start_action == "Nothing":
                vm.state = "Saved" if saved else "Off"
            vm.silent = []
            if vm.state == "Running" and not saved:
                fall_silent(self.clock, vm, *vm.integration_services)  # its guest boots
        self.restart_vmms(seconds)

    def restart_vmms(self, seconds: float) -> None:
        """VMs run on; cmdlets are refused for so long."""
        self.state.vmms_running = False

        def back() -> None:
            self.state.vmms_running = True

        self.clock.after(seconds, back)

    def keep(self, path: str, size: int, sha256: str, text: str | None = None, disk: Vhd | None = None) -> None:
        """A file that something else than a cmdlet wrote; `disk`: what it is as a virtual disk."""
        content = Content(text, sha256, self.clock.now())
        if disk is None:
            files.write(self.state, path, content, size)
            return
        files.forget(self.state, path)
        complete_disk(self.state, disk)
        self.state.vhds.append(disk)
        self.state.contents[path] = content
        files.take(self.state, path, size)

    def forget(self, path: str) -> None:
        files.forget(self.state, path)

    def snapshot(self) -> dict[str, Any]:
        """The whole state as plain data, in the schema of a starting state."""
        data: dict[str, Any] = dump(self.state)
        names = {s.id: s.name for s in self.state.switches}
        kept = (point for vm in data["vms"] for point in vm["checkpoints"])
        owners = [{"adapters": data["management_adapters"]}, *data["vms"], *kept]
        adapters = [a for owner in owners for a in owner["adapters"] or ()]
        for adapter in adapters:
            adapter["switch"] = names.get(adapter["switch"])
        return data

    def has(self, cmdlet: str) -> bool:
        """Whether this Windows has it, whatever is installed."""
        return contract(self.os).cmdlet(cmdlet) is not None

    def assign(self, thing: Any, name: str, value: Any) -> None:
        """A property of an object that a cmdlet returned. Raises Refusal."""
        with self.clock.happening:
            self.log.append(Invocation("assignment", {"to": plain(thing), name: plain(value)}))
            assign(self.state, thing, name, value)

    def invoke(self, cmdlet: str, params: Mapping[str, Any], error_action: ErrorAction = "Stop") -> Outcome:
        """Bind by the contract of this host's version, then execute."""
        bound = bind(self.os, cmdlet, params)
        if isinstance(bound, BindError):
            return Outcome(errors=[self._unbound(cmdlet, bound)])
        return self.execute(cmdlet, bound.set, {k: v.value for k, v in bound.parameters.items()}, error_action)

    def execute(
        self, cmdlet: str, set_name: str, bound: Mapping[str, Any], error_action: ErrorAction = "Stop"
    ) -> Outcome:
        """Run a cmdlet whose arguments are bound already; one at a time."""
        with self.clock.happening:
            return self._executed(cmdlet, set_name, bound, error_action)

    def _executed(self, cmdlet: str, set_name: str, bound: Mapping[str, Any], error_action: ErrorAction) -> Outcome:
        metering.settle(self.state, self.clock.now())
        entry = TABLE.get(cmdlet.lower())
        name = entry.name if entry else cmdlet
        noted = Invocation(name, {k: plain(v) for k, v in bound.items()})
        self.log.append(noted)
        args = Arguments(bound)
        cmd = Command(
            self.state, self.clock, name, set_name=set_name, args=args, action=error_action, estate=self.estate
        )
        if args.flag("WhatIf"):
            return Outcome()
        steps = self._steps(cmd, entry, noted)
        if not args.flag("AsJob"):
            took = (entry.takes if entry else 0.0) + sum(steps)
            self._settle()
            return _outcome(cmd, took)
        wait = next(steps, 0.0)

        done: list[Outcome] = []

        def finish() -> Outcome:
            with self.clock.happening:
                if not done:
                    metering.settle(self.state, self.clock.now())
                    for _ in steps:
                        pass
                    self._settle()
                    done.append(_outcome(cmd, 0.0))
                return done[0]

        # The work is vmms' own: it is done whether or not the process that began it still waits (winrm 3.5) [E].
        def due() -> None:
            finish()

        self.clock.after(wait, due)
        return Outcome(job=Job(self.clock.now(), wait, finish, name))

    def _settle(self) -> None:
        if self.estate is not None:
            self.estate.settle(self)

    def _steps(self, cmd: Command, entry: Entry | None, noted: Invocation) -> Iterator[float]:
        """The cmdlet's body, yielding the seconds it takes; errors end up in the command."""
        try:
            if entry is None:
                text = f"the simulated host has no {cmd.name}"
                raise cmd.fail("NotSimulated", "NotImplemented", text, "System.NotImplementedException")
            self._check_access(cmd, entry)
            _check_changes(cmd, entry)
            failing = self.failures.due(cmd.name, noted.params)
            if failing is not None and failing.phase == "before":
                yield failing.seconds
                raise failing.refusal(cmd)
            result = entry.body(cmd)
            if inspect.isgenerator(result):
                yield from result
            if failing is not None:
                yield failing.seconds
                raise failing.refusal(cmd)
        except Ended:
            pass
        except Refusal as refusal:
            cmd.errors.append(refusal.record)
        noted.errors = tuple(e.id for e in cmd.errors)
        noted.objects = len(cmd.objects)

    def _check_access(self, cmd: Command, entry: Entry) -> None:
        state = self.state
        if entry.module != "hyper-v":
            return
        if not (state.hyper_v_installed and state.hyper_v_module):
            # observations 4: module not installed
            raise Refusal(_not_recognized(state, cmd.name))
        if not (state.vmms_running and state.hyper_v_role):
            # observations 4: service down; a named Get-VM says InvalidParameter after it
            with cmd.trying():
                raise cmd.refuse("ObjectNotFound", "object_gone", state.name)
            if cmd.name == "Get-VM" and "Name" in cmd.args:
                raise cmd.refuse("InvalidParameter", "vm_missing", cmd.args.texts("Name")[0], target="name:String")
            raise Ended
        if not state.administrator and (state.module2 or cmd.name in ("Get-VMHost", "Set-VMHost")):
            # observations 4: on 2.0 Get-VM says Unspecified, not AccessDenied [O, Windows 10]; other cmdlets
            # AccessDenied (domain 22). On 1.x inventories are empty, without an error (domain 1.3) [O].
            kind = "Unspecified" if cmd.name == "Get-VM" else "AccessDenied"
            raise cmd.refuse(kind, "no_permission", state.name)

    def _unbound(self, cmdlet: str, error: BindError) -> ErrorRecord:
        if error.id == "CommandNotFoundException":
            return _not_recognized(self.state, cmdlet)
        full = f"{error.id},{class_of(cmdlet, self.state.module2)}"
        return ErrorRecord(full, error.category, error.message, ((error.type, -2146233087, error.message),), "")


_CHOOSING_TOO = {
    "Set-VHD": frozenset({"path"}),
    "Set-VMReplication": frozenset({"vmreplication"}),
    "Set-VMReplicationAuthorizationEntry": frozenset({"allowedprimaryserver", "vmreplicationauthorizationentry"}),
}


def _check_changes(cmd: Command, entry: Entry) -> None:
    """A Set- cmdlet without anything to set. Observed of Set-VMSwitch, by its text (domain 3) [O]; the same of the
    others, and the id, [I]: what a real host does with such a call, it is never one that is meant."""
    chosen = _CHOOSING_TOO.get(entry.name, frozenset())
    if entry.module == "hyper-v" and entry.name.startswith("Set-") and not set(cmd.args) - CHOOSING - chosen:
        raise cmd.refuse("InvalidParameter", "nothing_to_set")


def _not_recognized(state: HostState, cmdlet: str) -> ErrorRecord:
    text = say(state.language, "not_recognized", cmdlet)
    exception = "System.Management.Automation.CommandNotFoundException"
    return ErrorRecord(
        "CommandNotFoundException", "ObjectNotFound", text, ((exception, -2146233087, text),), f"{cmdlet}:String"
    )


def _outcome(cmd: Command, took: float) -> Outcome:
    return Outcome(list(cmd.objects), list(cmd.errors), list(cmd.warnings), None, took)
