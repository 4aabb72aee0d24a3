"""Who may send replicas to a host (domain 15.1, replica-migration 1.2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, Field

from hvctl.call import Call, Row
from hvctl.core.changes import Change, Occasion, Step, finding
from hvctl.core.facts import Facts, UnreadableError
from hvctl.core.fields import Setting, properties
from hvctl.core.impact import Impact
from hvctl.core.resource import Resource
from hvctl.core.values import NOT_COMPARED, State
from hvctl.kinds._cluster import WHOLE, told_by
from hvctl.kinds._drives import file_query, there
from hvctl.kinds._host import OfHyperV
from hvctl.kinds._servers import is_server_name
from hvctl.kinds._types import FOLD, PATH, WindowsPath
from hvctl.kinds.replica_server import SECOND_HOP, ReplicaServer
from hvctl.text.address import Address
from hvctl.text.diagnostic import Diagnostic
from hvctl.text.visible import quoted


def _pattern(text: str) -> str:
    """A wildcard stands for the first label, or for all (replica-migration 1.2)."""
    rest = text.removeprefix("*.") if text != "*" else "all"
    if "." not in rest and text not in ("*",) and not text.startswith("*."):
        raise ValueError(f"{quoted(text)} has no domain; write the full name, such as 'hv01.example.com'")
    if "*" in rest or not is_server_name(rest):
        raise ValueError(f"{quoted(text)} is not the full name of a server, nor '*.example.com' for those of a domain")
    return text


class ReplicaAuthorization(OfHyperV):
    """A server, `*.example.com` for those of a domain, or `*`, that may send replicas; `storage` keeps them. What one server
    of a `trust_group` began, every other of that group may go on with, so that the VM can move among them."""

    kind: ClassVar[str] = "replica_authorization"
    section: ClassVar[str] = "authorizations"
    within: ClassVar[str | None] = "replica_server"
    many: ClassVar[bool] = True
    setter: ClassVar[str] = "Set-VMReplicationAuthorizationEntry"
    stand_in: ClassVar[Mapping[str, Any]] = {"server": "unnamed.invalid"}
    other_words: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("name", "primary", "allowed_primary_server", "allowed"), "server"),
        **dict.fromkeys(("path", "replica_storage_location", "location"), "storage"),
        **dict.fromkeys(("group", "security_tag", "tag"), "trust_group"),
    }
    query: ClassVar[Call]

    server: Annotated[str, AfterValidator(_pattern)]
    storage: Annotated[WindowsPath | None, Setting("ReplicaStorageLocation", codec=PATH)] = None
    trust_group: Annotated[str | None, Field(min_length=1), Setting("TrustGroup", codec=FOLD)] = None
    ensure: Literal["present", "absent"] = "present"

    def key(self) -> str:
        return self.server

    def requires(self) -> tuple[Address, ...]:
        """The server's own settings first: while it admits everybody, no entry can be made (domain 15.1)."""
        return (self.owner.address(),) if self.owner is not None else ()

    @classmethod
    def survey(cls) -> tuple[Call, ...]:
        return (cls.query,)

    @classmethod
    def discover(cls, owner: Resource | None, facts: Facts) -> Iterator[Self]:
        for row in _rows(facts) if owner is None or not told_by(owner, facts) else ():
            one = cls(server="unnamed.invalid")  # what the host has is not held to what may be written
            yield one.model_copy(update={"server": str(row["AllowedPrimaryServer"])})

    def queries(self) -> tuple[Call, ...]:
        folder = (file_query(self.storage),) if self.storage and not self._shared else ()
        return (*self.survey(), *folder, *(WHOLE if self.index.together else ()))

    @property
    def _shared(self) -> bool:
        return bool(self.storage and self.storage.startswith("\\\\"))

    def row(self, facts: Facts) -> Row | None:
        wanted = self.server.casefold()
        return next((r for r in _rows(facts) if str(r["AllowedPrimaryServer"]).casefold() == wanted), None)

    def actual(self, facts: Facts) -> State | None:
        if told_by(self, facts):
            return None if self.absent else dict.fromkeys(self.wanted(), NOT_COMPARED)
        row = self.row(facts)
        return None if row is None else self.read_settings(row)

    def judge(self, occasion: Occasion, changes: tuple[Change, ...], facts: Facts) -> Iterator[Diagnostic]:
        if occasion == "create":
            for field, value in (("storage", self.storage), ("trust_group", self.trust_group)):
                if not value:
                    yield finding("", f"a new authorization needs {field}", f"write `{field}`")
        server = self.owner
        open_ = isinstance(server, ReplicaServer) and server.any_server is None and server.admits_all(facts)
        if occasion == "create" and open_:
            text = "the host admits every server, and takes no entries while it does"
            yield finding("", text, "write `any_server: no` in the replica server")
        if self.storage and any(c.field == "storage" for c in changes):
            if self._shared:
                yield finding("storage", f"{self.storage} is on another server", SECOND_HOP, "warning")
            elif not there(self.storage, facts):
                yield finding(
                    "storage", f"there is no folder {self.storage} on the host", "make it, or correct the path"
                )

    def remove_impacts(self, facts: Facts) -> frozenset[Impact]:
        """What it sends is refused from then on; the replicas stay."""
        return frozenset({"disconnect"})

    def note(self, field: str, now: Any, wanted: Any, facts: Facts) -> str:
        if field == "storage":
            return "replicas that are there stay where they are"
        return "what it sends is refused from then on" if wanted == "absent" else ""

    def create(self, facts: Facts) -> Iterator[Step]:
        params = {"AllowedPrimaryServer": self.server, **self.arguments(self.as_changes(facts))}
        call = Call("New-VMReplicationAuthorizationEntry", params)
        yield Step(call, f"admit {self.server}", ("server", *self.wanted()))

    def update(self, changes: tuple[Change, ...], facts: Facts) -> Iterator[Step]:
        row = self.row(facts)
        assert row is not None
        call = Call(self.setter, {"AllowedPrimaryServer": row["AllowedPrimaryServer"], **self.arguments(changes)})
        yield Step(call, f"change what {self.server} is admitted to", tuple(c.field for c in changes))

    def remove(self, facts: Facts) -> Iterator[Step]:
        row = self.row(facts)
        assert row is not None
        name = row["AllowedPrimaryServer"]
        call = Call("Remove-VMReplicationAuthorizationEntry", {"AllowedPrimaryServer": name})
        yield Step(call, f"no longer admit {name}", ("ensure",))


def _rows(facts: Facts) -> tuple[Row, ...]:
    """Raises UnreadableError where an answer that failed would read as nobody."""
    rows = facts.rows(ReplicaAuthorization.query)
    failure = facts.reply(ReplicaAuthorization.query).failure
    if not rows and failure is not None:
        raise UnreadableError(ReplicaAuthorization.query, failure)
    return rows


ReplicaAuthorization.query = Call(
    "Get-VMReplicationAuthorizationEntry", select=properties(ReplicaAuthorization, "AllowedPrimaryServer")
)
