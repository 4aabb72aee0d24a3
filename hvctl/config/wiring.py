"""The variables beyond address and account: pywinrm's further options as Ansible hands them through, and hvctl's limits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

from hvctl.kinds import _types
from hvctl.kinds._types import Size
from hvctl.winrm.limits import Limits

Tell = Callable[[str, str, str], None]
"""Takes the variable, what is wrong with it, and what to do."""

_MODULES = {"kerberos": ("kerberos", "winkerberos"), "credssp": ("requests_credssp",)}
"""What pywinrm imports for a transport, one of them (pywinrm 0.5, its extras)."""
_SEALING = ("ntlm", "kerberos", "credssp")
CALL_S, MARGIN_S, SILENCE_S = 60, 10, 15
"""Seconds: an operation's, by how much longer its answer is waited for (both Ansible's ways), a Receive's."""


Seconds = Annotated[_types.Seconds, Field(ge=1, le=86_400)]
Bytes = Annotated[Size, Field(ge=1024, description="write a size, such as 4MB")]
_TRUTH = Field(default=None, description="write true or false")


class _Options(BaseModel):
    """`None`: as pywinrm has it, or hvctl."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    ansible_winrm_kerberos_delegation: bool | None = _TRUTH
    ansible_winrm_kerberos_hostname_override: str | None = Field(None, description="put it in quotes")
    ansible_winrm_service: str | None = Field(None, description="put it in quotes")
    ansible_winrm_send_cbt: bool | None = _TRUTH
    ansible_winrm_message_encryption: Literal["auto", "always", "never"] | None = Field(
        None, description="write auto, always or never"
    )
    ansible_winrm_credssp_disable_tlsv1_2: bool | None = _TRUTH
    ansible_winrm_credssp_auth_mechanism: Literal["auto", "ntlm", "kerberos"] | None = Field(
        None, description="write auto, ntlm or kerberos"
    )
    ansible_winrm_credssp_minimum_version: int | None = Field(
        None, ge=2, le=6, description="write a number from 2 to 6"
    )
    ansible_winrm_connection_timeout: Seconds | None = None
    ansible_winrm_operation_timeout_sec: Seconds | None = None
    ansible_winrm_read_timeout_sec: Seconds | None = None
    hvctl_response_limit: Bytes = Limits.response
    hvctl_line_limit: Bytes = Limits.line
    hvctl_output_limit: Bytes = Limits.output
    hvctl_row_limit: int = Field(Limits.rows, ge=1, description="write a number")
    hvctl_request_timeout: Seconds | None = None

    def of_pywinrm(self) -> dict[str, Any]:
        """In the words of its Transport."""
        given = self.model_dump(exclude_none=True)
        return {
            name.removeprefix(_PREFIX): value
            for name, value in given.items()
            if name.startswith(_PREFIX) and "timeout" not in name
        }


_PREFIX = "ansible_winrm_"
OPTIONS: Mapping[str, FieldInfo] = _Options.model_fields
KNOWN = tuple(OPTIONS)
REFUSED = {
    "ansible_winrm_proxy": "hvctl connects to a host itself, without a proxy",
    "ansible_winrm_realm": "pywinrm takes no realm",
    "ansible_winrm_keytab": "pywinrm takes no keytab",
}
"""What could not be done as it says, and why."""
TICKETS = (
    "ansible_winrm_kinit_cmd",
    "ansible_winrm_kinit_args",
    "ansible_winrm_kinit_env_vars",
    "ansible_winrm_kinit_mode",
)
"""About getting a Kerberos ticket, which hvctl does not."""


@dataclass(frozen=True)
class Timeouts:
    """Seconds of an operation, and how much longer its answer is waited for."""

    operation: int
    slack: int


@dataclass(frozen=True)
class Wiring:
    """`options`: in the words of pywinrm's Transport. `timeouts`: where the inventory sets them."""

    options: Mapping[str, Any] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    timeouts: Timeouts | None = None


def missing_extra(transport: str) -> str:
    """The extra of hvctl that a transport needs and that is not installed; "" if there is none."""
    modules = _MODULES.get(transport, ())
    return transport if modules and not any(_imports(name) for name in modules) else ""


def _imports(name: str) -> bool:
    try:
        import_module(name)
    except ImportError:
        return False
    return True


def wiring(variables: Mapping[str, Any], transport: str, scheme: str, wrong: Tell, warn: Tell) -> Wiring:
    """What is wrong is told, and left at its default."""
    for name, why in REFUSED.items():
        if variables.get(name) not in (None, ""):
            wrong(name, f"{name} cannot be used: {why}", "leave it out")
    for name in (n for n in TICKETS if variables.get(n) not in (None, "manual")):
        warn(name, f"{name} has no effect in hvctl, which takes the Kerberos ticket that is there", "run kinit before")
    options = _read(variables, wrong)
    encryption = options.ansible_winrm_message_encryption
    if encryption == "always" and transport not in _SEALING:
        wrong(
            "ansible_winrm_message_encryption",
            f"messages cannot be encrypted over {transport}",
            f"use one of {', '.join(_SEALING)}, or https",
        )
    if encryption == "never" and scheme == "http":
        warn("ansible_winrm_message_encryption", "what is sent travels in the clear", "use https")
    timeouts = _timeouts(options, wrong)
    return Wiring(options.of_pywinrm(), _limits(options, timeouts, wrong), timeouts)


def _read(variables: Mapping[str, Any], wrong: Tell) -> _Options:
    given = {n: v for n, v in variables.items() if n in KNOWN and v is not None}
    try:
        return _Options.model_validate(given)
    except ValidationError as error:
        for name in {str(detail["loc"][0]): None for detail in error.errors()}:
            hint = _Options.model_fields[name].description or "write seconds, such as 90"
            wrong(name, f"{given.pop(name)} is not a valid {name}", hint)
        return _Options.model_validate(given)


def _timeouts(options: _Options, wrong: Tell) -> Timeouts | None:
    """As Ansible: connection_timeout sets both, the read timeout is the longer one."""
    both = options.ansible_winrm_connection_timeout
    operation, read = options.ansible_winrm_operation_timeout_sec or both, options.ansible_winrm_read_timeout_sec
    if operation is None and read is None:
        return None
    if operation is None:
        operation = min(CALL_S, max(1, (read or 0) - MARGIN_S))
    if read is None:
        return Timeouts(operation, MARGIN_S)
    if read <= operation:
        wrong(
            "ansible_winrm_read_timeout_sec",
            f"a read timeout of {read} s ends before an operation of {operation} s does",
            "make it longer than ansible_winrm_operation_timeout_sec",
        )
    return Timeouts(operation, max(1, read - operation))


def _limits(options: _Options, timeouts: Timeouts | None, wrong: Tell) -> Limits:
    limits = Limits(
        response=options.hvctl_response_limit,
        line=options.hvctl_line_limit,
        output=options.hvctl_output_limit,
        rows=options.hvctl_row_limit,
    )
    silent = timeouts.operation + timeouts.slack if timeouts else 0
    asked = options.hvctl_request_timeout
    if asked is None:
        return replace(limits, seconds=max(limits.seconds, silent + MARGIN_S))
    least = (timeouts.operation if timeouts else SILENCE_S) + MARGIN_S
    if asked < least:
        wrong(
            "hvctl_request_timeout",
            f"a request may not end after {asked} s: a host that is well may be silent for {least - MARGIN_S} s",
            f"write {least} or more",
        )
    return replace(limits, seconds=float(asked))
