"""How much is free where a file is to go."""

from __future__ import annotations

from dataclasses import replace

from hvctl.call import Call
from hvctl.core.facts import Facts, UnreadableError
from hvctl.kinds._drives import on_cluster
from hvctl.kinds._vhd import FILE_PROPERTIES, vhd_query

VOLUMES = Call("Get-Volume", select=("DriveLetter", "SizeRemaining"))


def item_query(path: str) -> Call:
    return Call("Get-Item", {"LiteralPath": (path,)}, select=("FullName", "IsReadOnly", "Length"), each="LiteralPath")


def sizes_query(*paths: str) -> Call:
    """The files of all drives and these, with what they take up, which grows while a VM runs."""
    return replace(vhd_query(*paths), select=(*FILE_PROPERTIES, "FileSize"))


def free_at(path: str, facts: Facts) -> int | None:
    """Bytes. None: it is no drive of the host with a letter, or the host does not say."""
    if on_cluster(path):
        return None
    try:
        rows = facts.rows(VOLUMES)
    except UnreadableError:
        return None
    letters = {str(r.get("DriveLetter")).upper(): r.get("SizeRemaining") for r in rows}
    found = letters.get(path[:1].upper())
    return None if found is None else int(found)
