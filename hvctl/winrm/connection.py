"""One pywinrm Protocol and its care: settings, rebuilding, retries of what was not executed, a trace of requests."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from tenacity import stop_after_attempt, stop_after_delay
from winrm.protocol import Protocol

from hvctl.call import Event, Secret
from hvctl.winrm.envelope import BoundedTransport
from hvctl.winrm.faults import Kind, WireFault
from hvctl.winrm.limits import Limits
from hvctl.winrm.meter import Meter
from hvctl.winrm.retries import REFUSALS, REQUEST_TRIES, RESENT, UNFIT, UNSURE, RequestWait, trying
from hvctl.winrm.translation import translated

T = TypeVar("T")


@dataclass(frozen=True)
class Patience:
    """Seconds. `call`: operation timeout of everything but Receive: a busy host needs more than pywinrm's 20 s for a
    shell (winrm 1.3); `slack`: how much longer an answer is waited for. `back`: how long a host that went away in the
    middle of a change may take to come back: a reboot of a large one. `idle`: HTTP.sys drops idle connections after
    about two minutes; before that everything is built anew (winrm 1.7). `earlier`: how long changes of an earlier run that
    still go on are waited for before the host is read."""

    connect: float = 5
    call: int = 60
    receive: int = 15
    slack: float = 15
    back: float = 900
    idle: float = 60
    earlier: float = 30


@dataclass(frozen=True)
class Address:
    """Where a host is, how to prove who asks, and what it may take of the control node. `options`: what pywinrm's
    Transport takes beside, in its words."""

    name: str
    host: str
    port: int = 5986
    scheme: Literal["https", "http"] = "https"
    transport: Literal["ntlm", "kerberos", "credssp", "certificate", "basic"] = "ntlm"
    path: str = "/wsman"
    user: str | None = None
    password: Secret | None = field(default=None, repr=False)
    cert_pem: str | None = None
    cert_key_pem: str | None = None
    verify: bool = True
    ca_path: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)

    @property
    def target(self) -> str:
        return f"{self._bracketed}:{self.port}"

    @property
    def endpoint(self) -> str:
        return f"{self.scheme}://{self._bracketed}:{self.port}{self.path}"

    @property
    def _bracketed(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host

    @property
    def credential(self) -> tuple[str, ...]:
        """What the guard tells them apart by: accounts of one name may have a password of their own on each host."""
        return (self.transport, self.user or self.cert_pem or "", self.password.reveal() if self.password else "")


class CredentialGuard:
    """Shared by all hosts of a run, so that a wrong password is tried once and not once per host: enough wrong
    tries lock the account (winrm 1.7). The first host of a credential goes alone; the others wait for its answer, or
    until it has had `alone` seconds: then the next one goes, so that a host that never comes to an answer is no trouble
    of the others. It is entered when there is a connection: names and hosts that do not answer keep nobody waiting."""

    def __init__(self, alone: float = 15) -> None:
        self._alone = alone
        self._lock = threading.Condition()
        self._state: dict[tuple[str, ...], Literal["trying", "good", "bad"]] = {}
        self._since: dict[tuple[str, ...], float] = {}

    def check(self, credential: tuple[str, ...]) -> None:
        """Waits for nobody. Raises WireFault if the credential was refused before."""
        with self._lock:
            self._good(credential)

    def enter(self, credential: tuple[str, ...]) -> None:
        """Raises WireFault if the credential was refused before."""
        with self._lock:
            while self._state.get(credential) == "trying":
                left = self._since[credential] + self._alone - time.monotonic()
                if left <= 0:
                    break
                self._lock.wait(left)
            self._good(credential)
            self._state.setdefault(credential, "trying")
            self._since[credential] = time.monotonic()

    def leave(self, credential: tuple[str, ...], good: bool | None) -> None:
        """What came of it; None: the question was not reached, the next host may try."""
        with self._lock:
            if good is None and self._state.get(credential) == "trying":
                del self._state[credential]
            elif good is not None and self._state.get(credential) != "good":
                self._state[credential] = "good" if good else "bad"
            self._lock.notify_all()

    def _good(self, credential: tuple[str, ...]) -> None:
        if self._state.get(credential) == "bad":
            raise refused_elsewhere()


def refused_elsewhere() -> WireFault:
    return WireFault("credentials", "not tried: another host refused this user and password")


class Connection:
    """Requests of one thread to one host. `rebuild` throws the TCP connection and its keys away: a message sealed
    with the keys of a lost connection is answered by 400 for ever (winrm 0)."""

    def __init__(
        self,
        address: Address,
        guard: CredentialGuard,
        on_wire: Callable[[Event], None] | None = None,
        sleep: Callable[[float], None] = time.sleep,
        patience: Patience = Patience(),
    ) -> None:
        self.address = address
        self.requests = 0
        self._guard = guard
        self._on_wire = on_wire
        self._sleep = sleep
        self._patience = patience
        self._protocol: Protocol | None = None
        self._meter = Meter(address.target, address.limits, self._connected)
        self._unfit: WireFault | None = None
        self._admitted = self._entered = False
        self._refused = 0

    def open_shell(self) -> str:
        """A shell that was made and whose answer was lost does no harm: it goes when it has been idle."""

        def ask(protocol: Protocol) -> str:
            return protocol.open_shell(codepage=65001, idle_timeout="PT1800S", env_vars=None)

        return self._request("Create", ask, harmless=True)

    def start(self, shell: str, command: str, arguments: tuple[str, ...]) -> str:
        return self._request(
            "Command", lambda p: p.run_command(shell, command, arguments, console_mode_stdin=False), retry=False
        )

    def send(self, shell: str, command: str, data: bytes, end: bool) -> None:
        self._request("Send", lambda p: p.send_command_input(shell, command, data, end), note=f"{len(data):,} bytes")

    def receive(self, shell: str, command: str, seconds: int | None = None) -> tuple[bytes, bytes, int, bool]:
        """stdout, stderr, exit code, done. Raises WireFault "timed_out" when there was nothing in so many seconds."""
        return self._request(
            "Receive",
            lambda p: p.get_command_output_raw(shell, command),
            seconds=seconds or self._patience.receive,
            retry=False,
        )

    def delete(self, shell: str) -> None:
        self._unless_unfit()
        self._request("Delete", lambda p: p.close_shell(shell, close_session=False), retry=False)

    def rebuild(self) -> None:
        if self._protocol is not None:
            try:
                self._protocol.transport.close_session()
            finally:
                self._protocol = None

    close = rebuild

    def _unless_unfit(self) -> None:
        """Where the last answer was one that no other would be better than, nothing is tidied up, which would cost the same
        time again: a shell goes when it has been idle, or with the next run."""
        if self._unfit is not None:
            found = self._unfit
            raise WireFault(found.kind, found.text, found.code, outside=found.outside)

    # --- one request ---------------------------------------------------------------------------------------------

    def _request(
        self,
        action: str,
        ask: Callable[[Protocol], T],
        *,
        seconds: int | None = None,
        retry: bool = True,
        harmless: bool = False,
        note: str = "",
    ) -> T:
        """Sent again only where it surely was not executed. Raises WireFault."""
        again: frozenset[Kind] = RESENT if retry else frozenset({"undecryptable"})
        if harmless:
            again |= UNSURE
        began = time.monotonic()
        retrying = trying(
            lambda error: isinstance(error, WireFault) and self._worth(error, again),
            # A host that takes connections and says nothing costs a whole timeout at every try.
            stop_after_attempt(REQUEST_TRIES) | stop_after_delay(2 * self._patience.call),
            RequestWait(),
            sleep=self._sleep,
            before=self.rebuild,
        )
        tries = 0

        def once() -> T:
            nonlocal tries
            tries += 1
            return self._once(action, ask, seconds or self._patience.call, note)

        try:
            return retrying(once)
        except WireFault as fault:
            if tries > 1:
                fault.text += f" ({tries} tries in {time.monotonic() - began:.0f} s)"
            raise

    def _worth(self, fault: WireFault, again: frozenset[Kind]) -> bool:
        if fault.kind == "credentials":
            # After a success this is a lost keep-alive or a domain controller's hiccup, not a wrong password; but
            # every try counts towards a lockout (winrm 5.1).
            self._refused += 1
            return self._admitted and self._refused <= REFUSALS
        return fault.kind in again and not fault.delivered

    def _once(self, action: str, ask: Callable[[Protocol], T], seconds: int, note: str) -> T:
        began = time.monotonic()
        good: bool | None = None
        try:
            if not self._admitted:
                self._guard.check(self.address.credential)
            with translated(self.address.target):
                pause = seconds + self._patience.slack
                self._meter.begin(pause)
                protocol = self._built(pause)
                protocol.operation_timeout_sec = seconds
                self.requests += 1
                found = ask(protocol)
            good = True
            self._refused, self._unfit = 0, None
            self._trace(action, began, note or "ok")
            return found
        except WireFault as fault:
            good = (
                False
                if fault.kind == "credentials"
                else True
                if fault.kind in ("timed_out", "gone", "denied")
                else None
            )
            self._unfit = fault if fault.kind in UNFIT else None
            if fault.kind == "timed_out":
                self._trace(action, began, "nothing yet")
            else:
                self._trace(action, began, f"{fault.kind}: {fault.text}", fault.outside)
            if fault.kind not in ("timed_out", "gone", "quota", "denied"):
                self.rebuild()
            raise
        finally:
            if not self._admitted:
                if self._entered or good is not None:
                    self._guard.leave(self.address.credential, good)
                self._entered, self._admitted = False, good is True

    def _connected(self) -> None:
        """Before the login. Waiting for another host's is no time of this one."""
        if not (self._admitted or self._entered):
            self._guard.enter(self.address.credential)
            self._entered = True
            self._meter.again()

    def _built(self, pause: float) -> Protocol:
        if self._protocol is None:
            at = self.address
            transport = bounded_transport(at, self._meter)
            self._protocol = Protocol(
                at.endpoint, at.transport, transport.username, transport.password, cert_pem=at.cert_pem,
                cert_key_pem=at.cert_key_pem, proxy=None,
            )  # fmt: skip
            self._protocol.transport = transport
        # Handed through to requests untouched, which takes a pair: connect and read (winrm 1.3).
        timeouts: Any = (self._patience.connect, pause)
        self._protocol.transport.read_timeout_sec = timeouts
        self._protocol.transport.build_session()
        return self._protocol

    def _trace(self, action: str, began: float, note: str, outside: str = "") -> None:
        if self._on_wire is not None:
            took = f"{(time.monotonic() - began) * 1000:6.0f} ms"
            text = f"{self.address.name}: {action:8} {took}  {note}"
            self._on_wire(Event("note", text=text, outside=(outside,)))


def bounded_transport(at: Address, meter: Meter) -> BoundedTransport:
    """What sends to an address; it has sent nothing yet."""
    return BoundedTransport(
        meter,
        endpoint=at.endpoint,
        auth_method=at.transport,
        username=at.user,
        password=at.password.reveal() if at.password else None,
        server_cert_validation="validate" if at.verify else "ignore",
        ca_trust_path=at.ca_path or "legacy_requests",
        cert_pem=at.cert_pem,
        cert_key_pem=at.cert_key_pem,
        proxy=None,
        **{"service": "HTTP", **at.options},
    )
