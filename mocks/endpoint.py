"""One simulated host on one port: who may log on, how it answers, what goes wrong there, and the log of what was asked."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Literal

import yaml

from mocks.faults import Injector, Phase, Trouble
from mocks.host import SimulatedHost
from mocks.objects import ErrorAction, Outcome
from mocks.run import Disk, Host
from mocks.shells import PROFILES, Output, Process, ProcessEnded, Shells, TwinProcess
from mocks.tls import Flaw
from mocks.twin import Twin


@dataclass
class Entry:
    """A request in the server's log."""

    action: str
    user: str
    status: int
    sent: int = 0
    received: int = 0
    trouble: str = ""
    message_id: str = ""


@dataclass
class Lockout:
    """An account is locked for some time after so many wrong passwords."""

    tries: int
    seconds: float
    wrong: int = 0
    until: float = 0.0


@dataclass
class Endpoint:
    """One simulated host on one port. `users`: name -> password. `plain`: whether http may go unsealed. `flaw`: of
    its certificate. `keep_alive_s`: how long a silent connection is kept. `pace`: real seconds for each of an
    operation timeout's. `seed`: of the troubles that come by chance."""

    host: Host
    users: Mapping[str, str]
    port: int = 0
    scheme: Literal["http", "https"] = "http"
    profile: str = "2016+"
    offers: Sequence[str] = ("Negotiate", "Basic")
    plain: bool = True
    admin: bool = True
    disk: Disk = field(default_factory=Disk)
    troubles: Sequence[Trouble] = ()
    log: list[Entry] = field(default_factory=list)
    start: Callable[[Output], Process] | None = None
    flaw: Flaw = ""
    keep_alive_s: float | None = None
    pace: float = 1.0
    seed: int = 0
    down_s: float = 0.0
    lockout: Lockout | None = None
    shells: Shells = field(init=False)
    faults: Injector = field(init=False)

    def __post_init__(self) -> None:
        self.shells = Shells(self.start or self._twin, PROFILES[self.profile], self.pace)
        self.faults = Injector(self.troubles, self.seed)
        self.auth_requests = 0
        self.busy_until = 0.0
        self.power: Callable[[float], None] = lambda seconds: None
        self._pids = count(4242)

    def _twin(self, output: Output) -> Process:
        struck = Struck(self)
        struck.process = TwinProcess(Twin(struck, self.disk, next(self._pids)), output)
        return struck.process

    @property
    def simulated(self) -> SimulatedHost:
        assert isinstance(self.host, SimulatedHost)
        return self.host

    def happens(self, trouble: Trouble) -> bool:
        """What befalls the machine itself; whether the trouble was of that sort."""
        match trouble.effect:
            case "lose_shells":
                self.shells.lose_all()
            case "service_restart":
                self.shells.lose_all()
                self.busy_until = time.monotonic() + trouble.seconds
            case "reboot":
                self.power(trouble.seconds)
                self.disk.stops.clear()
                self.shells.lose_all()
                self.simulated.reboot(trouble.amount)
                self._passes(trouble.amount)
            case "vmms_restart":
                self.simulated.restart_vmms(trouble.amount)
                self._passes(trouble.amount)
            case "outsider":
                self._outsider(yaml.safe_load(trouble.text))
            case _:
                return False
        return True

    def _passes(self, seconds: float) -> None:
        """Where simulated time takes real one, it passes also while nobody asks for anything."""
        clock = self.simulated.clock
        if clock.scale:
            threading.Thread(target=clock.sleep, args=[seconds], daemon=True).start()

    def _outsider(self, call: Mapping[str, Mapping[str, Any]]) -> None:
        """Somebody else changes something, by a way of his own."""
        ((cmdlet, params),) = call.items()
        errors = self.simulated.invoke(cmdlet, params, "Stop").errors
        assert not errors, errors
        self.simulated.log.pop()

    def actions(self) -> list[str]:
        """What was asked, in order, without the handshakes."""
        return [e.action for e in self.log]


class Struck:
    """The host as its processes meet it: what is to go wrong at a cmdlet goes wrong there."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self.clock = endpoint.host.clock
        self.process: TwinProcess | None = None

    def __getattr__(self, name: str) -> Any:
        """What else a host may offer."""
        return getattr(self._endpoint.host, name)

    def hello(self) -> Mapping[str, Any]:
        return self._endpoint.host.hello()

    def invoke(self, cmdlet: str, params: Mapping[str, Any], error_action: ErrorAction) -> Outcome:
        if cmdlet.startswith(("Get-", "Test-")):
            return self._endpoint.host.invoke(cmdlet, params, error_action)
        self._strike("before", cmdlet)
        outcome = self._endpoint.host.invoke(cmdlet, params, error_action)
        self._strike("after", cmdlet)
        return outcome

    def _strike(self, phase: Phase, cmdlet: str) -> None:
        for trouble in self._endpoint.faults.strike("invoke", phase, also=f"invoke {cmdlet}"):
            if trouble.effect == "die":
                raise ProcessEnded(trouble.code, trouble.text)
            if trouble.effect == "delay":
                time.sleep(trouble.seconds)
            self._endpoint.happens(trouble)
        if self.process is not None and not self.process.alive:
            raise ProcessEnded(1)
