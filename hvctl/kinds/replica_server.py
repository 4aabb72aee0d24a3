"""How a host receives replicas (domain 15.1 as replica-migration 1.2 and 3 correct it)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field

from hvctl.call import Call, Row, Value
from hvctl.contract import OS
from hvctl.core.changes import Change, HeldBackError, Occasion, Step, finding
from hvctl.core.facts import Facts, UnreadableError
from hvctl.core.fields import Setting, properties, settings
from hvctl.core.impact import Impact
from hvctl.core.resource import Resource
from hvctl.core.values import NOT_COMPARED, State
from hvctl.kinds._certificates import QUERIES as CERTIFICATES
from hvctl.kinds._certificates import THUMBPRINT, Thumbprint, bare, findings
from hvctl.kinds._cluster import ROLES, WHOLE, is_node, told_by
from hvctl.kinds._drives import file_query, there
from hvctl.kinds._host import OfHyperV
from hvctl.kinds._replica import TIME_OF_DAY, TimeOfDay
from hvctl.kinds._servers import COMPUTER, in_domain, own_broker
from hvctl.kinds._types import PATH, SECONDS, Flag, Seconds, WindowsPath, Words
from hvctl.kinds.replica_broker import ReplicaBroker
from hvctl.text.diagnostic import Diagnostic
from hvctl.text.duration import spoken
from hvctl.text.visible import quoted

ALLOWED = Words(kerberos="Kerberos", certificate="Certificate", both="CertificateAndKerberos")

LISTENERS = {"kerberos": "VIRT-HVRHTTPL-In-TCP-NoScope", "certificate": "VIRT-HVRHTTPSL-In-TCP-NoScope"}
"""Firewall rules by method. Their names are the same in every language, those that are displayed are not; which port they
open follows the server's port by itself (replica-migration 3)."""

RULES = Call(
    "Get-NetFirewallRule",
    {"Name": tuple(LISTENERS.values())},
    select=("Name", "Enabled"),
    each="Name",
)

_HOURS, _DAY = (1, 2, 3, 4, 6, 8, 12, 24), 86_400
INTERVALS = frozenset({*(h * 3600 for h in _HOURS), *(d * _DAY for d in range(2, 8))})

SECOND_HOP = (
    "the session must go on to that server as this account: CredSSP or delegation, or run it on the host itself; "
    "what writes there later is the computer account of the host"
)


def opened(rule: str, facts: Facts) -> bool | None:
    """Whether a rule of the firewall is on; None where the host was not asked or does not say."""
    if not facts.asked(RULES):
        return None
    try:
        rows = facts.of_key(RULES, "Name", rule)
    except UnreadableError:
        return None
    # A word as the module's types turn it, 1 and 2 as the class has it.
    return str(rows[0]["Enabled"]).casefold() in ("true", "1") if rows else None


class ReplicaServer(OfHyperV):
    """How a host receives replicas of other hosts' VMs. `authentication`: what it accepts. `any_server: yes` admits every
    server of the trusted domains and keeps what it sends in `storage`; otherwise `authorizations` say who may send. `firewall`
    opens the rules of its listeners, which nothing else does. `certificate`: the thumbprint of one in LocalMachine\\My, for the
    name of the host, for client and server; from 30 days before its end on it is said. In a cluster all nodes share this, and
    the Hyper-V Replica Broker must be online: see [replica](replica.md)."""

    kind: ClassVar[str] = "replica_server"
    section: ClassVar[str] = "replica_server"
    within: ClassVar[str | None] = "host"
    setter: ClassVar[str] = "Set-VMReplicationServer"
    odd: ClassVar[frozenset[str]] = frozenset({"firewall"})
    other_words: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("auth", "authentication_type", "allowed_authentication_type"), "authentication"),
        **dict.fromkeys(("thumbprint", "certificate_thumbprint"), "certificate"),
        **dict.fromkeys(("allow_from_any_server", "allow_any_server"), "any_server"),
        **dict.fromkeys(("path", "default_storage_location", "storage_location"), "storage"),
        **dict.fromkeys(("http_port",), "kerberos_port"),
        **dict.fromkeys(("https_port",), "certificate_port"),
        **dict.fromkeys(("authorization_entries", "entries", "allowed_servers"), "authorizations"),
    }
    usual: ClassVar[Mapping[str, Any]] = {
        "enabled": False,
        "authentication": "kerberos",
        "kerberos_port": 80,
        "certificate_port": 443,
        "any_server": False,
        "monitoring_interval": 43_200,
        "monitoring_start": "09:00",
    }
    query: ClassVar[Call]

    enabled: Annotated[Flag | None, Setting("ReplicationEnabled")] = None
    authentication: Annotated[str | None, ALLOWED, Setting("AllowedAuthenticationType", codec=ALLOWED)] = None
    kerberos_port: Annotated[int | None, Field(ge=1, le=65_535), Setting("KerberosAuthenticationPort")] = None
    certificate_port: Annotated[int | None, Field(ge=1, le=65_535), Setting("CertificateAuthenticationPort")] = None
    certificate: Annotated[Thumbprint | None, Setting("CertificateThumbprint", codec=THUMBPRINT)] = None
    any_server: Annotated[Flag | None, Setting("ReplicationAllowedFromAnyServer")] = None
    storage: Annotated[WindowsPath | None, Setting("DefaultStorageLocation", codec=PATH)] = None
    monitoring_interval: Annotated[Seconds | None, Setting("MonitoringInterval", codec=SECONDS)] = None
    monitoring_start: Annotated[TimeOfDay | None, Setting("MonitoringStartTime", codec=TIME_OF_DAY)] = None
    firewall: Flag | None = None
    exclusive: list[str] = Field(default_factory=list)

    # --- rules ------------------------------------------------------------------------------------------------------

    def rules(self, os: OS) -> Iterator[Diagnostic]:
        for n, section in enumerate(self.exclusive):
            if section != "authorizations":
                yield finding(f"exclusive.{n}", f"{quoted(section)} is no list that can be exclusive", "authorizations")
        if self.authentication == "kerberos":
            for field in ("certificate", "certificate_port"):
                if field in self.written():
                    text = f"{field} belongs to authentication by certificate"
                    yield finding(field, text, "write `authentication: both` or `certificate`, or leave it out")
        if self.monitoring_interval is not None and self.monitoring_interval not in INTERVALS:
            text = f"{spoken(self.monitoring_interval)} is not an interval of the monitoring"
            yield finding("monitoring_interval", text, "one of 1h, 2h, 3h, 4h, 6h, 8h, 12h, 24h, 2d to 7d")
        if self.any_server and any(not one.absent for one in self.parts):
            hint = "write `any_server: no`, or leave the authorizations out"
            yield finding("any_server", "every server may send: authorizations admit nobody besides", hint)
        if self.storage is not None and self.any_server is False:
            text = "it is for servers that nothing else is said of; each authorization has its own"
            yield finding("storage", text, "", "warning")

    # --- looking ----------------------------------------------------------------------------------------------------

    @classmethod
    def survey(cls) -> tuple[Call, ...]:
        return (cls.query,)

    @classmethod
    def discover(cls, owner: Resource | None, facts: Facts) -> Iterator[Self]:
        if facts.reply(cls.query).rows:
            yield cls()

    def as_written(self, found: State, facts: Facts) -> State:
        """What belongs to another method, or to servers that nothing else is said of, is not written."""
        left = {"certificate", "certificate_port"} if found.get("authentication") == "kerberos" else set()
        left |= set() if found.get("any_server") else {"storage"}
        return {name: value for name, value in found.items() if name not in left and value != ""}

    def queries(self) -> tuple[Call, ...]:
        folder = (file_query(self.storage),) if self.storage and not self._shared else ()
        rules = (RULES,) if self.firewall is not None else ()
        cluster = WHOLE if self.index.together else (ROLES,)
        return (*self.survey(), *CERTIFICATES, COMPUTER, *cluster, *rules, *folder)

    @property
    def _shared(self) -> bool:
        return bool(self.storage and self.storage.startswith("\\\\"))

    def row(self, facts: Facts) -> Row:
        reply = facts.reply(self.query)
        if reply.rows:
            return reply.rows[0]
        failure = reply.failure
        if failure is not None and failure.kind == "ObjectNotFound" and is_node(facts):
            # replica-migration 1.2: so it answers on a node without an online broker
            text = "the host is a node of a cluster, where nothing is told of Replica without its broker"
            if any(not broker.absent for _, _, broker in self.across(ReplicaBroker)):
                raise HeldBackError(text, "apply again once the broker is online", parts=True, later=True)
            hint = "write `replica_broker` under `cluster:`, or bring the broker online"
            raise HeldBackError(text, hint, parts=True)
        raise UnreadableError(self.query, failure)

    def admits_all(self, facts: Facts) -> bool:
        return bool(self.row(facts)["ReplicationAllowedFromAnyServer"])

    def method(self, facts: Facts) -> str:
        """As desired, else as it is."""
        return self.authentication or str(ALLOWED.read(self.row(facts)["AllowedAuthenticationType"]))

    def _listeners(self, facts: Facts) -> tuple[str, ...]:
        """The firewall rules that `firewall` is about: those of the methods it accepts; closed, both."""
        method = self.method(facts)
        return tuple(rule for word, rule in LISTENERS.items() if not self.firewall or method in (word, "both"))

    def wanted(self) -> State:
        return {**super().wanted(), **({} if self.firewall is None else {"firewall": self.firewall})}

    def actual(self, facts: Facts) -> State | None:
        found: dict[str, Any] = self.read_settings(self.row(facts))
        if told_by(self, facts):  # what one node is told is so on all of them; each has its own firewall
            found = dict.fromkeys(found, NOT_COMPARED)
        if self.firewall is not None:
            opened = [self._opened(rule, facts) for rule in self._listeners(facts)]
            found["firewall"] = all(opened) if self.firewall else any(opened)
        return found

    def _opened(self, rule: str, facts: Facts) -> bool:
        found = opened(rule, facts)
        if found is None:
            raise UnreadableError(RULES, facts.reply(RULES).failure)
        return found

    # --- judging ----------------------------------------------------------------------------------------------------

    def judge(self, occasion: Occasion, changes: tuple[Change, ...], facts: Facts) -> Iterator[Diagnostic]:
        row, changed = self.row(facts), {c.field for c in changes}
        method = self.method(facts)
        on = row["ReplicationEnabled"] if self.enabled is None else self.enabled
        certificate = self.certificate or bare(row.get("CertificateThumbprint"))
        if method == "kerberos" and self.authentication is None:
            for field in sorted({"certificate", "certificate_port"} & changed):
                yield finding(field, "the host accepts Kerberos only", "write `authentication: both` or `certificate`")
        if on and method != "certificate" and not in_domain(facts):
            field = "authentication" if self.authentication else "enabled"
            text = "the host is in no domain, which Kerberos needs"
            yield finding(field, text, "write `authentication: certificate`" if field in changed else "",
                          "impossible" if field in changed else "warning")  # fmt: skip
        if on and method != "kerberos":
            field = "certificate" if self.certificate else "authentication" if self.authentication else "enabled"
            sets = bool(changed & {"certificate", "authentication", "enabled"})
            if not certificate:
                yield finding(field, "no certificate is set, which this authentication needs", "write `certificate`")
            else:
                broker = own_broker(self)
                yield from findings(certificate, field, facts, sets=sets, broker=broker, receives=True)
        if self.any_server and not (self.storage or row.get("DefaultStorageLocation")):
            yield finding("any_server", "what any server sends has no place", "write `storage`")
        if "storage" in changed and self.storage:
            if self._shared:
                yield finding("storage", f"{self.storage} is on another server", SECOND_HOP, "warning")
            elif not there(self.storage, facts):
                yield finding(
                    "storage", f"there is no folder {self.storage} on the host", "make it, or correct the path"
                )
        if on and self.firewall is None and "enabled" in changed:
            text = "nothing opens the firewall for it"
            yield finding("enabled", text, "write `firewall: yes`, or see to it otherwise", "warning")
        if changed - {"firewall"} and is_node(facts):
            text = "the host is a node of a cluster: this is set for all of its nodes"
            yield finding("", text, "", "warning")

    def rests_on(self, field: str, facts: Facts) -> str:
        """It does not begin to listen without the method that is wanted, nor is that set without its certificate."""
        order = ("certificate", "authentication", "enabled")
        if (
            field == "firewall" and self.firewall
        ):  # which rule it is goes by the method, and nothing is opened for nobody
            return next((f for f in reversed(order[1:]) if f in self.written()), "")
        if field not in order[1:] or self.authentication == "kerberos":
            return ""
        before = order[: order.index(field)]
        return next((f for f in before if f in self.written()), "")

    def note(self, field: str, now: Any, wanted: Any, facts: Facts) -> str:
        if field == "enabled" and not wanted:
            return "replicas that others send are refused from then on"
        if self._refuses(field, now, wanted, facts):
            return "what is sent so far by the other way is refused from then on"
        if field == "firewall":
            return ", ".join(self._listeners(facts))
        return ""

    def impacts(self, field: str, now: Any, wanted: Any, facts: Facts) -> frozenset[Impact]:
        """What it no longer accepts stops for those who send."""
        stops = (field == "enabled" and not wanted) or (field == "firewall" and not wanted)
        refuses = self._refuses(field, now, wanted, facts)
        return frozenset({"disconnect"}) if stops or refuses else frozenset({"online"})

    def _refuses(self, field: str, now: Any, wanted: Any, facts: Facts) -> bool:
        """Of a server that is on: a method less, another port of one that it accepts, or not everybody any more."""
        row = self.row(facts)
        if not row["ReplicationEnabled"]:
            return False
        accepted = str(ALLOWED.read(row["AllowedAuthenticationType"]))
        if field in ("kerberos_port", "certificate_port"):
            return accepted in (field.removesuffix("_port"), "both")
        return (field == "authentication" and wanted != "both") or (field == "any_server" and not wanted)

    # --- changing ---------------------------------------------------------------------------------------------------

    def update(self, changes: tuple[Change, ...], facts: Facts) -> Iterator[Step]:
        plain = tuple(c for c in changes if c.field in settings(type(self)))
        if plain:
            arguments: dict[str, Value] = {**self.arguments(plain), **self._along(plain, facts), "Force": True}
            fields = tuple(c.field for c in plain)
            yield Step(Call(self.setter, arguments), "set the replica server", fields)
        for change in changes:
            if change.field == "firewall":
                rules = tuple(r for r in self._listeners(facts) if self._opened(r, facts) != change.wanted)
                verb = "Enable" if change.wanted else "Disable"
                text = f"{verb.lower()} the firewall rules of the replica server"
                yield Step(Call(f"{verb}-NetFirewallRule", {"Name": rules}), text, ("firewall",))

    def _along(self, changes: tuple[Change, ...], facts: Facts) -> dict[str, Value]:
        """A method that needs a certificate is set together with it."""
        fields = {c.field for c in changes}
        if "authentication" not in fields or self.authentication == "kerberos" or "certificate" in fields:
            return {}
        known = self.certificate or bare(self.row(facts).get("CertificateThumbprint"))
        return {"CertificateThumbprint": known} if known else {}

    def create(self, facts: Facts) -> Iterator[Step]:
        yield from self.update(self.as_changes(facts), facts)


ReplicaServer.query = Call("Get-VMReplicationServer", select=properties(ReplicaServer))
