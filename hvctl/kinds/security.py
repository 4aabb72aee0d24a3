"""The TPM of a VM, what it is encrypted with, and shielding (domain 10, replica-migration 8)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from hvctl.call import Call, Row
from hvctl.contract import OS
from hvctl.core.changes import Change, HeldBackError, Occasion, Step, finding
from hvctl.core.facts import Facts, UnreadableError
from hvctl.core.fields import Setting
from hvctl.core.impact import Impact
from hvctl.core.resource import Resource
from hvctl.core.values import UNKNOWN, State
from hvctl.kinds._firmware import FirmwarePart
from hvctl.kinds._limits import LARGE, version_at_least
from hvctl.kinds._machine import machine
from hvctl.kinds._protection import is_protected, key_protector, name_there, security
from hvctl.kinds._types import Flag
from hvctl.kinds._vm import VMS, VmPart, generation, made_as, vm_ref, vm_row
from hvctl.text.diagnostic import Diagnostic

_PROTECTOR = "key_protector"
_WRITE = "write key_protector: local"
_TPM_SINCE = "7.0"
"""The configuration version that a TPM came with (domain 10). Shielding takes 8.0, and secure boot
(ConvertTo-ShieldedVM of https://www.powershellgallery.com/packages/GuardedFabricTools)."""


class Security(VmPart):
    """Generation 2 only. `key_protector: local` makes a key protector of certificates of this host, if the VM has none of any
    kind; one that is there is never replaced, and nothing takes one away. A TPM, an encrypted state and shielding need one.
    Turning a TPM off loses what it guards; shielding has no way back (docs/tpm.md)."""

    kind: ClassVar[str] = "security"
    section: ClassVar[str] = "security"
    vital: ClassVar[bool] = True
    setter: ClassVar[str] = "Set-VMSecurity"
    odd: ClassVar[frozenset[str]] = frozenset({"tpm", "shielded"})
    after: ClassVar[tuple[str, ...]] = ("firmware",)
    usual: ClassVar[Mapping[str, Any]] = {"tpm": False, "encrypt_state": False, "shielded": False}
    other_words: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("vtpm", "tpm_enabled", "enable_tpm"), "tpm"),
        **dict.fromkeys(("shielding", "shield"), "shielded"),
        **dict.fromkeys(("encrypt", "encrypted", "encryption", "encrypt_state_and_migration_traffic"), "encrypt_state"),
        **dict.fromkeys(("protector", "new_local_key_protector"), "key_protector"),
    }

    key_protector: Literal["local"] | None = None
    tpm: Annotated[Flag | None, Setting("TpmEnabled", off=True)] = None
    encrypt_state: Annotated[Flag | None, Setting("EncryptStateAndVmMigrationTraffic", off=True)] = None
    shielded: Annotated[Flag | None, Setting("Shielded", off=True)] = None

    # --- rules ------------------------------------------------------------------------------------------------------

    def rules(self, os: OS) -> Iterator[Diagnostic]:
        if (self.vm.generation or 2) == 1:
            yield finding("", "a generation 1 VM has no TPM and is not shielded", "leave it out, or make generation 2")
        if self.vm.version is not None:
            yield from self._of_version(self.vm.version)
        if self.shielded:
            for field in ("tpm", "encrypt_state"):
                if getattr(self, field) is False:
                    yield finding(field, "a shielded VM has it on", "write on, or leave it out")
            firmware = self.vm.part(FirmwarePart)
            if firmware is not None and firmware.secure_boot is False:
                yield finding("shielded", "a shielded VM has secure boot", "write firmware: {secure_boot: on}")

    def _of_version(self, version: str) -> Iterator[Diagnostic]:
        needs = {n: LARGE if n == "shielded" else _TPM_SINCE for n, wanted in self.wanted().items() if wanted}
        for field, since in needs.items():
            if not version_at_least(version, since):
                yield finding(
                    field, f"it needs VM version {since}; this one is {version}", "raise the VM's version first"
                )

    # --- looking ----------------------------------------------------------------------------------------------------

    @classmethod
    def survey(cls) -> tuple[Call, ...]:
        """Neither answer says which VM it is of, so that each must be asked for by its name."""
        return ()

    @classmethod
    def discover(cls, owner: Resource | None, facts: Facts) -> Iterator[Self]:
        """None, where nothing was asked."""
        vm = machine(owner)
        row = vm_row(vm, facts)
        if row is not None and generation(row) == 2 and facts.asked(query := security(name_there(vm, row))):
            yield from (cls() for _ in facts.rows(query))

    @classmethod
    def describing_in(cls, owner: Resource) -> tuple[Call, ...]:
        names = machine(owner).names
        return (VMS, *map(security, names), *map(key_protector, names))

    def as_written(self, found: State, facts: Facts) -> State:
        """Whether it is made of certificates of this host is not told."""
        return {**found, _PROTECTOR: "local" if found[_PROTECTOR] is True else found[_PROTECTOR]}

    def queries(self) -> tuple[Call, ...]:
        asked = self.vm.names
        return (VMS, *map(security, asked), *map(key_protector, asked))

    def wanted(self) -> State:
        protector = {} if self.key_protector is None else {_PROTECTOR: self.key_protector}
        return {**protector, **super().wanted()}

    def actual(self, facts: Facts) -> State | None:
        row = self.vm_row(facts)
        if row is None:
            return None
        if generation(row) == 1:
            raise HeldBackError(f"{self.vm.key()} is of generation 1, which has no TPM", "leave its security out")
        found = self.read_settings(self._settings(row, facts))
        if _PROTECTOR not in self.model_fields_set:
            return found
        there = self._protected(row, facts)
        return {_PROTECTOR: UNKNOWN if there is None else self.key_protector or there if there else None, **found}

    def _settings(self, row: Row, facts: Facts) -> Row:
        query = security(name_there(self.vm, row))
        rows = facts.rows(query)
        if not rows:
            raise UnreadableError(query, facts.reply(query).failure)
        return rows[0]

    def _protected(self, row: Row, facts: Facts) -> bool | None:
        """Whether it has a key protector, of any kind; None if that could not be read."""
        known = self._settings(row, facts)
        if known["TpmEnabled"] or known["Shielded"]:
            return True
        try:
            return is_protected(key_protector(name_there(self.vm, row)), facts)
        except UnreadableError:
            return None

    # --- what it costs ----------------------------------------------------------------------------------------------

    def needs_off(self, field: str, now: Any, wanted: Any, facts: Facts) -> bool:
        return True

    def impacts(self, field: str, now: Any, wanted: Any, facts: Facts) -> frozenset[Impact]:
        found = super().impacts(field, now, wanted, facts)
        # A TPM takes what it guards along; out of shielding there is no way back.
        lost: frozenset[Impact] = frozenset({"destroy"})
        gone = (field == "tpm" and not wanted) or (field == "shielded" and wanted)
        return (found | lost) - {"online"} if gone else found

    def rests_on(self, field: str, facts: Facts) -> str:
        """All of it is refused without a key protector."""
        return _PROTECTOR if field != _PROTECTOR and getattr(self, field, None) and self.key_protector else ""

    def note(self, field: str, now: Any, wanted: Any, facts: Facts) -> str:
        if field == _PROTECTOR:
            return (
                "made of certificates of this host alone: elsewhere, moved, failed over or restored, the VM does not start "
                "until they are there too"
            )
        if field == "tpm" and not wanted:
            return "what it guards is lost: a disk that BitLocker encrypts asks for its recovery key"
        if field == "shielded" and wanted:
            return "there is no way back; the host shows no console of it, and must be a guarded one"
        return ""

    # --- judging ----------------------------------------------------------------------------------------------------

    def judge(self, occasion: Occasion, changes: tuple[Change, ...], facts: Facts) -> Iterator[Diagnostic]:
        yield from super().judge(occasion, changes, facts)
        row = self.vm_row(facts)
        if row is None and self.vm.generation != 2:
            yield finding("", f"{self.vm.key()} is made as generation 1, which has no TPM", "write generation: 2")
        on = [c.field for c in changes if c.wanted]
        _, version = made_as(self.vm, row)
        if version is not None:
            yield from (f for f in self._of_version(version) if f.field in on)
        yield from self._unprotected(row, [f for f in on if f != _PROTECTOR], facts)
        if row is None:
            return
        if self._settings(row, facts)["Shielded"]:
            for change in changes:
                if not change.wanted:
                    text = f"{self.vm.key()} is shielded, and stays so without the key of its owner"
                    yield finding(change.field, text, "leave it as it is")
        if _PROTECTOR in on:
            yield from self._elsewhere(row)

    def _unprotected(self, row: Row | None, on: list[str], facts: Facts) -> Iterator[Diagnostic]:
        if not on:
            return
        there = self._protected(row, facts) if row is not None else False
        if there is None:
            why = "whether the VM has a key protector could not be read, and it needs one"
            yield from (finding(field, why, "look at the host") for field in on)
        elif not there and self.key_protector is None:
            yield from (finding(field, "it needs a key protector, and the VM has none", _WRITE) for field in on)

    def _elsewhere(self, row: Row) -> Iterator[Diagnostic]:
        certificates = 'bring the host\'s "Shielded VM Local Certificates" there, with their keys'
        if row.get("IsClustered"):
            text = f"{self.vm.key()} is a role of a cluster: it starts on no other node"
            yield finding(_PROTECTOR, text, certificates, "warning")
        if str(row.get("ReplicationMode") or "None") != "None":
            text = f"{self.vm.key()} is replicated: its replica does not start after a failover"
            yield finding(_PROTECTOR, text, certificates, "warning")

    def summary(self) -> str:
        said = {"TPM": self.tpm, "encrypted state": self.encrypt_state, "shielded": self.shielded}
        return ", ".join(word for word, on in said.items() if on)

    # --- changing ---------------------------------------------------------------------------------------------------

    def update(self, changes: tuple[Change, ...], facts: Facts) -> Iterator[Step]:
        """The key protector first: the others are refused without it. A TPM that goes goes last."""
        vm, name = {"VM": vm_ref(self.vm, facts)}, self.vm.key()
        by_field = {c.field: c for c in changes}
        needs: tuple[Step, ...] = ()
        if made := by_field.get(_PROTECTOR):
            params = {**vm, "NewLocalKeyProtector": True}
            text = f"make a key protector of {name}, of certificates of this host"
            needs = (self.step("Set-VMKeyProtector", params, text, (made,), facts),)
            yield from needs
        tpm = by_field.get("tpm")
        before = list(needs)
        if tpm and tpm.wanted:
            before.append(self.step("Enable-VMTPM", vm, f"give {name} a TPM", (tpm,), facts, needs=needs))
        if (state := by_field.get("encrypt_state")) and (state.wanted or state.now is not None):
            params = {**vm, **self.arguments((state,))}
            text = f"{'encrypt' if state.wanted else 'no longer encrypt'} the state and the moves of {name}"
            before.append(self.step(self.setter, params, text, (state,), facts, needs=needs))
        yield from before[len(needs) :]
        if (shielded := by_field.get("shielded")) and shielded.wanted:
            params = {**vm, "Shielded": True}
            yield self.step("Set-VMSecurityPolicy", params, f"shield {name}", (shielded,), facts, needs=tuple(before))
        if tpm and not tpm.wanted and tpm.now is not None:
            yield self.step("Disable-VMTPM", vm, f"take the TPM out of {name}", (tpm,), facts)
