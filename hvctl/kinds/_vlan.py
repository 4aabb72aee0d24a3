"""VLANs and isolation of virtual adapters: two views of one thing (domain 9.2)."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from hvctl.call import Row
from hvctl.core.fields import Fields, Input, Setting
from hvctl.core.impact import Impact
from hvctl.core.rows import parsed
from hvctl.kinds._types import ON_OFF, Flag, Words
from hvctl.text.visible import quoted

_VLAN = ("OperationMode", "AccessVlanId", "NativeVlanId", "AllowedVlanIdListString", "PrivateVlanMode", "PrimaryVlanId",
         "SecondaryVlanId", "SecondaryVlanIdListString")  # fmt: skip
_ALLOWED, _SECONDARY = "VlanSetting.AllowedVlanIdListString", "VlanSetting.SecondaryVlanIdListString"
VLAN_PROPERTIES = tuple(f"VlanSetting.{name}" for name in _VLAN)

_IDS = re.compile(r"^\s*[0-9]{1,4}(?:\s*-\s*[0-9]{1,4})?(?:\s*,\s*[0-9]{1,4}(?:\s*-\s*[0-9]{1,4})?)*\s*$")
COSTS: tuple[Impact, ...] = ("disconnect",)
ISOLATION = Words(
    none="None",
    native_virtual_subnet="NativeVirtualSubnet",
    external_virtual_subnet="ExternalVirtualSubnet",
    vlan="Vlan",
)


def vlan_ids(text: str) -> frozenset[int]:
    """ "1-100,200" as numbers; lists compare as sets (domain 9.2)."""
    found: set[int] = set()
    for part in filter(None, (p.strip() for p in text.split(","))):
        first, _, last = part.partition("-")
        least, most = int(first), int(last or first)
        if not 0 <= least <= most <= 4095:
            raise ValueError(f"{quoted(part)} is not a range of VLANs")
        found |= set(range(least, most + 1))
    return frozenset(found)


def _joined(value: Any) -> Any:
    """A number, a range, or a list of these, as one text."""
    if isinstance(value, list) and all(isinstance(v, int | str) and not isinstance(v, bool) for v in value):
        return ",".join(str(v) for v in value)
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _id_list(value: str | None) -> str | None:
    try:
        fits = value is None or (_IDS.match(value) and all(1 <= v <= 4094 for v in vlan_ids(value)))
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(f"{value} is not a list of VLANs; write such as '1-100,200' or [1-100, 200], from 1 to 4094")
    return value and re.sub(r"\s", "", value)


def _mode_of(value: Any) -> Any:
    """What people write for no VLAN, and for the VLAN alone."""
    if isinstance(value, str) and value.casefold() == "untagged":
        return None
    if isinstance(value, int) and not isinstance(value, bool) and value:
        raise ValueError(f"{value} alone does not say the mode; write `{{access: {value}}}`")
    if value in ({}, 0) or (isinstance(value, dict) and set(value) == {"access"} and value["access"] in (0, None)):
        raise ValueError("that is not a VLAN; for none write `vlan: untagged`")
    return value


Id = Annotated[int, Field(ge=1, le=4094)]
_LISTED = {"type": "array", "items": {"type": ["integer", "string"]}}
Ids = Annotated[str, BeforeValidator(_joined), AfterValidator(_id_list), Input(({"type": "integer"}, _LISTED))]


class Vlan(Fields):
    """One of: `access`; `trunk`, with `native` if that is to change; `isolated`, `community` or `promiscuous` with
    `primary`. `vlan: untagged`, or null, is none of them."""

    access: Id | None = None
    trunk: Ids | None = None
    native: Annotated[int | None, Field(ge=0, le=4094)] = None
    isolated: Id | None = None
    community: Id | None = None
    promiscuous: Ids | None = None
    primary: Id | None = None

    @model_validator(mode="after")
    def _one_mode(self) -> Vlan:
        modes = [m for m in ("access", "trunk", "isolated", "community", "promiscuous") if getattr(self, m) is not None]
        if len(modes) != 1:
            raise ValueError(
                "a VLAN is one of access, trunk, isolated, community, promiscuous; write `{access: 20}`, or `untagged`"
            )
        if self.native is not None and modes != ["trunk"]:
            raise ValueError("native belongs to trunk; remove it")
        if (self.primary is not None) != (modes[0] in ("isolated", "community", "promiscuous")):
            raise ValueError(
                "primary belongs to isolated, community and promiscuous, which need it; write `primary: N`"
            )
        return self

    def state(self) -> tuple[Any, ...]:
        if self.access is not None:
            return ("access", self.access)
        if self.trunk is not None:
            return ("trunk", vlan_ids(self.trunk), self.native)
        if self.promiscuous is not None:
            return ("promiscuous", self.primary, vlan_ids(self.promiscuous))
        return (
            ("isolated", self.primary, self.isolated) if self.isolated else ("community", self.primary, self.community)
        )

    def arguments(self, now: tuple[Any, ...]) -> dict[str, Any]:
        """`now`: as the adapter is, whose native VLAN stays unless one is written."""
        if self.access is not None:
            return {"Access": True, "VlanId": self.access}
        if self.trunk is not None:
            native = self.native if self.native is not None else now[2] if now[0] == "trunk" else 0
            return {"Trunk": True, "AllowedVlanIdList": self.trunk, "NativeVlanId": native}
        if self.promiscuous is not None:
            return {"Promiscuous": True, "PrimaryVlanId": self.primary, "SecondaryVlanIdList": self.promiscuous}
        mode = {"Isolated": True} if self.isolated else {"Community": True}
        return {**mode, "PrimaryVlanId": self.primary, "SecondaryVlanId": self.isolated or self.community}


UNTAGGED = ("untagged",)


def same_vlan(now: Any, wanted: Any) -> bool:
    """A native VLAN that is not written is not compared."""
    if isinstance(now, tuple) and now[0] == wanted[0] == "trunk" and wanted[2] is None:
        return bool(now[1] == wanted[1])
    return bool(now == wanted)


def vlan_of(row: Row) -> tuple[Any, ...]:
    """As `Vlan.state` says it, from an adapter's row."""
    setting = {name: row.get(f"VlanSetting.{name}") for name in _VLAN}
    mode = str(setting["OperationMode"] or "Untagged").casefold()
    if mode == "access":
        return ("access", setting["AccessVlanId"])
    if mode == "trunk":
        return ("trunk", parsed(row, _ALLOWED, vlan_ids), setting["NativeVlanId"] or 0)
    if mode == "private":
        kind = str(setting["PrivateVlanMode"]).casefold()
        if kind == "promiscuous":
            return (kind, setting["PrimaryVlanId"], parsed(row, _SECONDARY, vlan_ids))
        return (kind, setting["PrimaryVlanId"], setting["SecondaryVlanId"])
    return UNTAGGED


def vlan_written(state: Any) -> Any:
    """As a playbook has it."""
    if not isinstance(state, tuple):
        return state
    mode, *rest = state
    if mode == "untagged":
        return mode
    if mode == "access":
        return {"access": rest[0]}
    if mode == "trunk":
        return {"trunk": _ids_text(rest[0]), "native": rest[1]}
    return {mode: _ids_text(rest[1]) if mode == "promiscuous" else rest[1], "primary": rest[0]}


def vlan_text(state: Any) -> str:
    if not isinstance(state, tuple):
        return str(state)
    mode, *rest = state
    shown = [_ids_text(r) if isinstance(r, frozenset) else str(r) for r in rest]
    if mode == "trunk":
        native = "native unchanged" if rest[1] is None else f"native {shown[1]}"
        return f"trunk {shown[0] or 'none'}, {native}"
    return " ".join([mode, *(["/".join(shown)] if shown else [])])


def _ids_text(ids: frozenset[int]) -> str:
    runs: list[list[int]] = []
    for number in sorted(ids):
        if runs and number == runs[-1][-1] + 1:
            runs[-1] = [runs[-1][0], number]
        else:
            runs.append([number])
    return ",".join("-".join(str(n) for n in run) for run in runs)


class Isolation(Fields):
    """What keeps an adapter's traffic apart: a VLAN or a virtual network. `default_id` is the network of untagged
    traffic, so it needs `allow_untagged`. Not beside `vlan`, which says the same otherwise."""

    mode: Annotated[
        str | None, ISOLATION, Setting("IsolationSetting.IsolationMode", "IsolationMode", ISOLATION, costs=COSTS)
    ] = None
    allow_untagged: Annotated[
        Flag | None, Setting("IsolationSetting.AllowUntaggedTraffic", "AllowUntaggedTraffic", costs=COSTS)
    ] = None
    default_id: Annotated[
        int | None,
        Field(ge=0, le=16_777_215),
        Setting("IsolationSetting.DefaultIsolationID", "DefaultIsolationID", costs=COSTS),
    ] = None
    multi_tenant_stack: Annotated[
        Flag | None, Setting("IsolationSetting.MultiTenantStack", "MultiTenantStack", ON_OFF, costs=COSTS)
    ] = None


VlanWish = Annotated[Vlan | None, BeforeValidator(_mode_of), Input(({"enum": ["untagged"]},))]
