"""What several kinds read of the host itself."""

from __future__ import annotations

from hvctl.call import Call, Row
from hvctl.facts import Facts, UnreadableError

HOST = Call("Get-VMHost", select=("Name", "LogicalProcessorCount", "MemoryCapacity"))
"""Also the proof of rights: without them other cmdlets read as an empty host (domain 1.3)."""


def host_row(facts: Facts) -> Row:
    rows = facts.rows(HOST)
    if not rows:
        raise UnreadableError(HOST, facts.reply(HOST).failure)
    return rows[0]
