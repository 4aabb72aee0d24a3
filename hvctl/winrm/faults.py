"""What can go wrong on the way to a host, in one vocabulary."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from hvctl.call import TransportError

Kind = Literal[
    "refused", "name", "connect", "certificate", "tls", "proxy", "credentials", "undecryptable", "too_large", "busy",
    "quota", "denied", "disabled", "unopened", "undelivered", "timed_out", "gone", "lost", "protocol", "redirect",
    "oversized", "slow", "exhausted", "stopped",
]  # fmt: skip

TIMED_OUT = 2150858793

NOT_EXECUTED: frozenset[Kind] = frozenset(
    {"refused", "name", "connect", "certificate", "tls", "proxy", "credentials", "undecryptable", "too_large", "busy",
     "quota", "denied", "disabled", "unopened", "undelivered", "exhausted"}
)  # fmt: skip
"""After these the request was not carried out: it may be sent again (winrm 5.1)."""


@dataclass
class WireFault(Exception):
    """A request that did not come back as it should. `code`: WS-Man's or HTTP's number. `delivered`: what it was about
    had reached the host before, whatever became of this request. `hint`: what to do, if not as usual for its kind.
    `outside`: what of the text is not hvctl's wording."""

    kind: Kind
    text: str
    code: int = 0
    delivered: bool = False
    hint: str = ""
    outside: str = ""

    def __post_init__(self) -> None:
        super().__init__(self.text)

    @property
    def away(self) -> bool:
        """Whether nobody is there, who may come back: not an answer, however odd."""
        return self.kind in ("refused", "connect", "name", "tls", "busy", "exhausted") or (
            self.kind == "lost" and not self.code
        )

    @property
    def executed(self) -> Literal["no", "unknown"]:
        return "no" if self.kind in NOT_EXECUTED and not self.delivered else "unknown"

    @property
    def advice(self) -> str:
        """What to do: by its kind, or by what it was at first where it is told as another."""
        first = self.__cause__
        return self.hint or HINTS.get(self.kind, "") or (first.advice if isinstance(first, WireFault) else "")


HINTS: dict[Kind, str] = {
    "refused": "is WinRM running there, and the port right (5986 https, 5985 http)?",
    "name": "check ansible_host and the name service",
    "connect": "check the address, the network and the firewall",
    "certificate": "trust its CA with ansible_winrm_ca_trust_path (a relative path begins in the current folder), or "
    "check the name it was issued for",
    "tls": "is this port the https listener? (5986; http is 5985)",
    "credentials": "check ansible_user and the password; no other host was tried with them",
    "denied": "WinRM's shell admits administrators, or who was given Invoke in its RootSDDL",
    "disabled": "remote shells are switched off by policy on that host",
    "quota": "another client may hold shells open there; wait or raise WinRM's quotas",
    "busy": "is the WinRM service starting?",
    "redirect": "what answers there is not WinRM, or an address of the host in ansible_host is an old one",
    "oversized": "no WinRM answers like that; if this host does, raise the variable in the inventory",
    "slow": "no WinRM answers like that; over a slow line, raise the variable in the inventory",
}


@contextmanager
def said() -> Iterator[None]:
    """A WireFault leaves as a TransportError."""
    try:
        yield
    except WireFault as fault:
        outside = (fault.outside,)
        raise TransportError(fault.text, executed=fault.executed, hint=fault.advice, outside=outside) from fault
