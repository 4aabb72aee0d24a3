"""From an inventory's connection to a transport over the real wire."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache

from hvctl.call import Event, Secret, Transport
from hvctl.config.inventory import Connection
from hvctl.config.secrets import resolve
from hvctl.contract import VERSIONS, contract
from hvctl.text.looks import login
from hvctl.text.state import state_folder
from hvctl.winrm.client import Address, CredentialGuard, Patience, WinRM
from hvctl.winrm.leftovers import OpenShells


@dataclass(frozen=True)
class Wire:
    """What a run hands to every connection: who hears of each request, the guard against locking out an account,
    the open shells that a next run would clean up, how long is waited for what, who must know a secret to keep it, and
    whether changes that run are left to their hosts."""

    guard: CredentialGuard = field(default_factory=CredentialGuard)
    on_wire: Callable[[Event], None] | None = None
    shells: OpenShells = field(default_factory=lambda: OpenShells(state_folder()))
    patience: Patience = field(default_factory=Patience)
    sleep: Callable[[float], None] = time.sleep
    learn: Callable[[Secret], None] = lambda secret: None
    left: Callable[[], bool] = lambda: False


Connect = Callable[[Connection, Wire], Transport]


def real_connect(connection: Connection, wire: Wire) -> Transport:
    """Opens nothing yet: the first batch does. Raises SecretError if the password cannot be had."""
    password = resolve(connection.password) if connection.password is not None else None
    if password is not None:
        wire.learn(password)
        for sent in login(connection.user or "", password.reveal()):
            wire.learn(Secret(sent))
    address = Address(
        name=connection.name,
        host=connection.host,
        port=connection.port,
        scheme=connection.scheme,
        transport=connection.transport,
        path=connection.path,
        user=connection.user,
        password=password,
        cert_pem=connection.cert_pem,
        cert_key_pem=connection.cert_key_pem,
        verify=connection.verify,
        ca_path=connection.ca_path,
        options=connection.wiring.options,
        limits=connection.wiring.limits,
    )
    patience, timeouts = wire.patience, connection.wiring.timeouts
    if timeouts is not None:
        operation = timeouts.operation
        patience = replace(patience, call=operation, receive=operation, slack=timeouts.slack)
    return WinRM(
        address,
        allow=allowed(),
        guard=wire.guard,
        on_wire=wire.on_wire,
        sleep=wire.sleep,
        patience=patience,
        shells=wire.shells,
        left=wire.left,
    )


@cache
def allowed() -> dict[str, str]:
    """Every cmdlet that some version of Windows has and hvctl knows → its module; what the runner may call."""
    return {name: contract(os).module_of(name) for os in VERSIONS for name in contract(os).cmdlets}
