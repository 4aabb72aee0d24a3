"""What the facts of a host show to be impossible or doubtful about a wished disk (domain 8.2, 8.3)."""

from __future__ import annotations

from collections.abc import Iterator

from hvctl.core.changes import Change, HeldBackError, finding
from hvctl.core.facts import Facts
from hvctl.core.fields import settings
from hvctl.core.values import UNKNOWN, Unknown
from hvctl.kinds import _coming, _image
from hvctl.kinds._disk import FILE_FIELDS, DiskPart, Seen
from hvctl.kinds._disk_rules import CONVERT
from hvctl.kinds._drives import Slot, on_cluster, on_share, one_spelling, there, volume_of
from hvctl.kinds._physical import check_disk, vm_name
from hvctl.kinds._vhd import User, extension, users
from hvctl.kinds._vm import power
from hvctl.kinds.host_file import brought
from hvctl.kinds.vhd import made
from hvctl.text.diagnostic import Diagnostic


def attaching(disk: DiskPart, seen: Seen, facts: Facts) -> Iterator[Diagnostic]:
    """Of putting a disk where it is not yet. What is impossible holds the whole disk back (HeldBackError), not
    one field of it."""
    if disk.disk_number is not None:
        check_disk(disk.disk_number, disk.vm_row(facts), facts)
        return
    if disk.path is None:
        raise HeldBackError(f"no disk sits at {disk.at}", "write its path, and a size if it is to be made", "at")
    if disk.generation(facts) == 2 and extension(disk.path) == "vhd":
        raise HeldBackError("generation 2 has no .vhd disks", CONVERT, "path")
    _check_users(disk, disk.path, facts)
    if (disk.vm_row(facts) or {}).get("IsClustered") and not on_cluster(disk.path):
        yield finding(
            "path",
            f"{disk.vm.key()} is clustered; Hyper-V refuses disks outside clustered storage",
            r"write a path below C:\ClusterStorage, or of a share, unless the volume is a cluster disk",
            "warning",
        )
    if seen.file is UNKNOWN and not disk.shared:
        # Attaching fails with 0x80070020 then, or the start of the VM does (domain 8.3, observations 5).
        raise HeldBackError(
            f"{disk.path} could not be read: something holds it", "see what has it open, then run hvctl again", "path"
        )
    if seen.file is None:
        yield from _making(disk, disk.path, seen, facts)


def _making(disk: DiskPart, path: str, seen: Seen, facts: Facts) -> Iterator[Diagnostic]:
    now = str(disk.path_now(seen, facts) or "")
    if seen.drive is not None and _stem(now) == _stem(path):
        raise HeldBackError(
            f"{now} sits there; its format cannot be changed in place",
            "write `format: vhdx` too, and a copy in that format is made and attached"
            if extension(path) == "vhdx"
            else "Convert-VHD makes a copy in the other format, while the VM is off; hvctl then attaches the copy",
            "path",
        )
    if old := next((p for p in disk.previous_paths if not on_share(p) and there(p, facts)), None):
        hint = "attach it at this place first, move the file, or take it out of previous_paths"
        raise HeldBackError(f"{old} is there, and only a disk that sits at {disk.at} moves", hint, "previous_paths")
    for field in ("path", "parent"):
        file = _coming.on_its_way(disk, getattr(disk, field), facts)
        if file is not None and isinstance(_coming.row(file, facts), Unknown):
            text = f"{file.target} is brought by host_files, and no virtual disk as far as can be told before"
            raise HeldBackError(text, "run hvctl again when this is applied, or bring another file", field)
    if disk.size is None and not disk.parent and not disk.image:
        hint = "write its size to have it made, an image to have it copied, or the right path"
        raise HeldBackError(f"{path} is not there", hint, "path")
    if (volume := volume_of(path)) and not there(volume, facts):
        raise HeldBackError(f"the host has no volume {volume}", "write a path on one that it has", "path")
    own = made(disk, disk.parent) or brought(disk, disk.parent)
    if disk.parent and own is None and not on_share(disk.parent) and not there(disk.parent, facts):
        raise HeldBackError(f"{disk.parent} is not there", "write the path of an existing disk", "parent")
    if disk.parent:
        _check_parent(disk.parent, facts)
    if disk.image:
        yield from _image.obstacles(disk, facts)
    if on_share(path):
        yield finding(
            "path", f"{path} was not seen, but WinRM may hide what is on a share", "make sure that it is new", "warning"
        )


def _check_parent(parent: str, facts: Facts) -> None:
    """Raise HeldBackError if a VM writes to the file: that breaks the disks made from it, and New-VHD fails with
    0x80070020 while that VM runs (domain 8.1)."""
    for user in users(parent, facts):
        if not user.child:
            raise HeldBackError(
                f"{parent} is attached to {vm_name(user.row, facts)} at {Slot.of(user.row)}, which writes to it; a parent "
                "must not change",
                "detach it there first, or make the disk from a copy of it",
                "parent",
            )


def _check_users(disk: DiskPart, path: str, facts: Facts) -> None:
    """Raise HeldBackError if attaching the file would give it two owners: accepted while off, and the VM would
    not start (domain 8.3)."""
    mine = disk.vm_row(facts)

    def at_home(user: User) -> bool:
        return mine is not None and user.row["VMId"] == mine["Id"] and Slot.of(user.row) == disk.slot

    for user in sorted(users(path, facts), key=lambda user: not at_home(user)):
        place, own = Slot.of(user.row), mine is not None and user.row["VMId"] == mine["Id"]
        owner = "this VM" if own else vm_name(user.row, facts)
        if user.child:
            hint = "make a differencing disk of its own for this VM"
            raise HeldBackError(
                f"{path} is the parent of {user.child}, which {owner} has at {place}; writing to it would break that",
                f"write path: '{user.child}' to leave it there" if at_home(user) else hint,
                "path",
            )
        if own and place != disk.slot:
            _check_move(disk, path, place)
        elif not own and not (disk.shared and user.row.get("SupportPersistentReservations")):
            raise HeldBackError(
                f"{path} is attached to {owner} at {place}",
                "detach it there first (`ensure: absent`), then run hvctl again; only shared disks have two owners",
                "path",
            )


def _check_move(disk: DiskPart, path: str, place: Slot) -> None:
    wished = (p for p in disk.vm.parts_of(DiskPart) if p.at == str(place) and not p.absent)
    if next(wished, None) is not None:
        raise HeldBackError(
            f"{path} sits at {place} of this VM, where another disk is wanted",
            "disks that change places need two runs: the first with `ensure: absent` at one of the places",
            "path",
        )


def file(disk: DiskPart, seen: Seen, changes: tuple[Change, ...], facts: Facts) -> Iterator[Diagnostic]:
    """Of the file itself."""
    unknown = (*(["path"] if seen.link is UNKNOWN else []), *(n for n in FILE_FIELDS if n in disk.wanted()))
    if seen.file is UNKNOWN:
        gone = seen.attached and disk.path and not on_share(disk.path) and not there(disk.path, facts)
        if gone:
            yield finding("path", f"{disk.path} is attached, but there is no such file", "bring it back", "warning")
        else:
            name = disk.path or seen.leaf or "the file of the disk"
            if power(disk.vm_row(facts)) == "Off" and disk.vm.state in ("running", "paused"):
                why = f"{name} could not be read, something holds it: the start of {disk.vm.key()} may fail"
                yield finding("at", why, "see what has it open, then run hvctl again", "warning")
            for field in unknown:
                why = f"{name} could not be read, something holds it: its {field.replace('_', ' ')} is not known"
                yield finding(field, why, "see what has it open, then run hvctl again", "unknown")
    if seen.file is not None:
        yield from _image.leftover(disk, facts)
    if seen.drive is None and seen.row is not None:
        now = disk.read_settings(seen.row)
        for name in FILE_FIELDS:
            fixed = settings(type(disk))[name].fixed
            if fixed and name in disk.wanted() and not disk.same(name, now[name], disk.wanted()[name]):
                yield finding(name, f"{disk.path} has {disk.show(name, now[name])}, which cannot be changed", fixed)
    sectors = any(c.field == "physical_sector_size" for c in changes)
    if sectors and seen.checkpoint:
        yield finding("physical_sector_size", "it is fixed while the disk has checkpoints", "remove them first")


def quality(disk: DiskPart, seen: Seen, changes: tuple[Change, ...]) -> Iterator[Diagnostic]:
    """IOPS against what the host has of the half that is not written, and against a policy."""
    changed = [c.field for c in changes if c.field.startswith("iops.")]
    if not changed or seen.drive is None or disk.iops is None:
        return
    least, most = disk.iops.minimum, disk.iops.maximum
    least = int(seen.drive.get("MinimumIOPS") or 0) if least is None else least
    most = int(seen.drive.get("MaximumIOPS") or 0) if most is None else most
    if most and least > most:
        yield finding(changed[0], f"a minimum of {least:,} is above the maximum of {most:,}", "write both")
    policy = settings(type(disk))["qos_policy_id"].codec.read(seen.drive.get("QoSPolicyID"))
    if policy and "qos_policy_id" not in disk.wanted():
        yield finding(
            changed[0],
            f"the storage QoS policy {policy} overrides the disk's own iops",
            "write `qos_policy_id: null` too, or leave iops out",
        )


def _stem(path: str) -> str:
    return one_spelling(path).casefold().rpartition(".")[0]
