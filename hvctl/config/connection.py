"""A host's connection variables, as Ansible names them → how hvctl reaches it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from hvctl.call import Secret
from hvctl.config.misspelt import OLD, meant_by
from hvctl.config.secrets import Source
from hvctl.config.wiring import KNOWN, REFUSED, TICKETS, Wiring, missing_extra, wiring
from hvctl.contract import OS, VERSIONS
from hvctl.text.diagnostic import ConfigError, Diagnostic, Mark, UndefinedDiagnostic
from hvctl.text.number import is_whole, whole
from hvctl.text.source import SecretSource, Vaulted, suggest
from hvctl.text.visible import quoted

WinRMTransport = Literal["ntlm", "kerberos", "credssp", "certificate", "basic"]
TRANSPORTS: tuple[WinRMTransport, ...] = ("ntlm", "kerberos", "credssp", "certificate", "basic")
_SYNONYMS = {"plaintext": "basic"}

_KNOWN = (
    "ansible_host ansible_port ansible_user ansible_password ansible_connection ansible_winrm_host ansible_winrm_port "
    "ansible_winrm_user ansible_winrm_password ansible_winrm_pass ansible_winrm_transport ansible_winrm_scheme "
    "ansible_winrm_path ansible_winrm_server_cert_validation ansible_winrm_ca_trust_path ansible_winrm_cert_pem "
    "ansible_winrm_cert_key_pem hvctl_os hvctl_worker"
).split()
_HARMLESS = (
    "ansible_become ansible_become_user ansible_become_method ansible_become_password ansible_shell_type "
    "ansible_group_priority ansible_python_interpreter ansible_ssh_common_args "
    "ansible_facts ansible_check_mode ansible_diff_mode hvctl_owner hvctl_vm_owners hvctl_cluster "
    "hvctl_replica_broker"
).split()
_ANOTHERS = (*KNOWN, *REFUSED, *TICKETS)
"""Those that wiring.py reads."""
NAMES = (*_KNOWN, *_HARMLESS, *_ANOTHERS, *OLD)
"""All that hvctl reads, or takes without a word."""

PASSWORDS = ("ansible_winrm_password ansible_winrm_pass ansible_password ansible_ssh_password ansible_ssh_pass").split()
"""Those that hvctl logs on with; the first that is given counts."""


@dataclass(frozen=True)
class Connection:
    """How to reach one host. `password` is where it is to be had. `worker`: the one that reads it, where workers do."""

    name: str
    host: str
    port: int
    scheme: Literal["https", "http"]
    transport: WinRMTransport
    path: str = "/wsman"
    user: str | None = None
    password: Source | None = None
    verify: bool = True
    ca_path: str | None = None
    cert_pem: str | None = None
    cert_key_pem: str | None = None
    os: OS | None = None
    wiring: Wiring = field(default_factory=Wiring)
    warnings: tuple[Diagnostic, ...] = ()
    worker: str | None = None


def login_of(connection: Connection) -> str:
    """How hvctl is logged on there, which decides what the host can reach as the same account."""
    passed = connection.transport == "kerberos" and connection.wiring.options.get("kerberos_delegation") is True
    return "kerberos delegated" if passed else connection.transport


def connection_of(
    name: str,
    variables: Mapping[str, Any],
    marks: Mapping[str, Mark],
    place: Mark | None = None,
    others: Iterable[str] = (),
) -> Connection:
    """`place`: the host's own, for what is not written; `others`: the names of its other variables, of which one may be
    meant. Raises ConfigError with everything that is wrong with these variables, warnings too."""
    reader = _Reader(name, variables, marks, place)
    reader.look_at(others)
    made = reader.connection()
    if reader.problems:
        raise ConfigError([*reader.problems, *reader.warnings])
    return made


class _Reader:
    def __init__(self, name: str, variables: Mapping[str, Any], marks: Mapping[str, Mark], place: Mark | None) -> None:
        self.name, self.variables, self.marks, self.place = name, variables, marks, place
        self.problems: list[Diagnostic] = []
        self.warnings: list[Diagnostic] = []

    def connection(self) -> Connection:
        self._unknown()
        scheme = self._word("ansible_winrm_scheme", ("https", "http"))
        port = self._port()
        # Ansible's rule: http only if the scheme says so or the port is WinRM's plain one.
        scheme = scheme or ("http" if port == 5985 else "https")
        transport = self._transport(scheme)
        validation = self._word("ansible_winrm_server_cert_validation", ("validate", "ignore"))
        if validation == "ignore":
            self._warn(
                "ansible_winrm_server_cert_validation",
                "the host's certificate is not checked",
                "trust its CA with ansible_winrm_ca_trust_path",
            )
        if transport == "basic" and scheme == "http":
            self._warn("ansible_winrm_transport", "the password travels in the clear", "use https")
        if transport == "certificate" and scheme == "http":
            self._wrong("ansible_winrm_transport", "certificates need https", "set ansible_winrm_scheme: https")
        made = Connection(
            name=self.name,
            host=self._text("ansible_winrm_host", "ansible_host", "ansible_ssh_host") or self.name,
            port=port or (5985 if scheme == "http" else 5986),
            scheme="http" if scheme == "http" else "https",
            transport=transport,
            path=self._text("ansible_winrm_path") or "/wsman",
            user=self._text("ansible_winrm_user", "ansible_user", "ansible_ssh_user"),
            password=self._password(),
            verify=validation != "ignore",
            ca_path=self._text("ansible_winrm_ca_trust_path"),
            cert_pem=self._text("ansible_winrm_cert_pem"),
            cert_key_pem=self._text("ansible_winrm_cert_key_pem"),
            os=self._os(),
            worker=self._text("hvctl_worker"),
            wiring=wiring(self.variables, transport, scheme, self._wrong, self._warn),
        )
        self._complete(made)
        return replace(made, warnings=tuple(self.warnings))

    def look_at(self, others: Iterable[str]) -> None:
        for name in others:
            if known := meant_by(name, (*_KNOWN, *_HARMLESS, *_ANOTHERS, *OLD)):
                self._warn(name, f"{name} has no effect in hvctl", f"did you mean {quoted(known)}?")

    def _complete(self, made: Connection) -> None:
        if made.transport == "certificate" and not (made.cert_pem and made.cert_key_pem):
            self._wrong(
                "ansible_winrm_transport",
                "a certificate needs its files",
                "set ansible_winrm_cert_pem and ansible_winrm_cert_key_pem",
            )
        if made.transport not in ("certificate", "kerberos") and not made.user:
            message = f"{self.name} has no user to connect as"
            self.problems.append(
                UndefinedDiagnostic(self.marks.get("ansible_user") or self.place, message, "set ansible_user")
            )

    def _unknown(self) -> None:
        for name in self.variables:
            if name in _KNOWN or name in _HARMLESS or name in _ANOTHERS:
                continue
            if name in OLD:
                self._warn(name, f"{name} is the old name of {OLD[name]}", f"write {OLD[name]}")
                continue
            hint = suggest(name, (*_KNOWN, *_ANOTHERS))
            self._warn(name, f"{name} has no effect in hvctl", hint)
        connection = self.variables.get("ansible_connection")
        if connection not in (None, "winrm"):
            self._warn("ansible_connection", f"hvctl connects over winrm, not {connection}", "set it to winrm")

    def _port(self) -> int | None:
        for name, given in self._given("ansible_winrm_port", "ansible_port", "ansible_ssh_port"):
            value = whole(given) if isinstance(given, str) and is_whole(given) else given
            if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 65536:
                return value
            self._wrong(name, f"{quoted(value)} is not a valid port", "write a number from 1 to 65535, such as 5986")
        return None

    def _transport(self, scheme: str) -> WinRMTransport:
        """The first of those named that can be had, as Ansible tries them."""
        name = "ansible_winrm_transport"
        value = self.variables.get(name, "ntlm")
        words = [str(w).strip() for w in (value if isinstance(value, list) else str(value).split(","))]
        known = {w: t for w in words for t in TRANSPORTS if t == self._plain(w)}
        for word, transport in known.items():
            if not missing_extra(transport):
                if word == "ssl" and scheme == "http":
                    self._wrong(name, "ssl needs https", "set ansible_winrm_scheme: https")
                return transport
        if known:
            extra = next(iter(known.values()))
            what = f"{extra} needs packages that are not installed here"
            self._wrong(name, what, f"python -m pip install 'hvctl[{extra}]'")
        else:
            hint = suggest(words[0] if words else "", TRANSPORTS) or f"one of {', '.join(TRANSPORTS)}"
            self._wrong(name, f"{quoted(value)} is not a valid transport", hint)
        return "ntlm"

    def _plain(self, word: str) -> str:
        """As pywinrm takes it: ssl is with a certificate where one is named, and basic over https where none is."""
        if word == "ssl":
            certificate = self._text("ansible_winrm_cert_pem") or self._text("ansible_winrm_cert_key_pem")
            return "certificate" if certificate else "basic"
        return _SYNONYMS.get(word, word)

    def _password(self) -> Source | None:
        for name, value in self._given(*PASSWORDS):
            if isinstance(value, SecretSource):
                return value
            if not isinstance(value, Vaulted):
                self._warn(name, "a password stands in plain here", "use !env, !keyring or !command, or --ask-pass")
            return Secret(str(value))
        return None

    def _os(self) -> OS | None:
        value = self.variables.get("hvctl_os")
        if value is None:
            return None
        plain = str(value).casefold().replace(" ", "").removeprefix("windowsserver")
        for known in VERSIONS:
            if plain == known:
                return known
        self._wrong("hvctl_os", f"{quoted(value)} is not a version that hvctl knows", f"one of {', '.join(VERSIONS)}")
        return None

    def _text(self, *names: str) -> str | None:
        for name, value in self._given(*names):
            if isinstance(value, str | int) and not isinstance(value, bool):
                return str(value)
            self._wrong(name, f"{name} is a text", "put it in quotes")
        return None

    def _given(self, *names: str) -> Iterator[tuple[str, Any]]:
        """Those that have a value, the one that counts first: winrm's own, as in Ansible, and old names last."""
        found = [(name, self.variables[name]) for name in names if self.variables.get(name) is not None]
        for name, value in found[1:]:
            if value != found[0][1]:
                place = f" at {self.marks[found[0][0]]}" if found[0][0] in self.marks else ""
                self._warn(name, f"{name} has no effect, since {found[0][0]} is set too{place}", "remove one of them")
        yield from found

    def _word(self, name: str, known: tuple[str, ...]) -> str | None:
        value = self.variables.get(name)
        if value is None or value in known:
            return value
        self._wrong(
            name, f"{quoted(value)} is none of {', '.join(known)}", suggest(str(value), known) or f"write {known[0]}"
        )
        return None

    def _wrong(self, name: str, message: str, hint: str) -> None:
        place = self.marks.get(name) or self.place
        self.problems.append(Diagnostic(place, message if place or name in message else f"{name}: {message}", hint))

    def _warn(self, name: str, message: str, hint: str) -> None:
        self.warnings.append(Diagnostic(self.marks.get(name), message, hint, "warning"))
