"""The difference between two clocks, and when it is a cause of trouble."""

from __future__ import annotations

from datetime import timedelta

from hvctl.doctor.cause import Cause
from hvctl.text.duration import spoken

SKEW = timedelta(minutes=5)
"""Kerberos' tolerance, and what dates of plan files and exports bear."""


def clock_skew(ahead: timedelta, *, kerberos: bool) -> Cause:
    span = spoken(int(abs(ahead).total_seconds()))
    if ahead > timedelta():
        says = f"the host's clock is {span} ahead of this machine's"
    elif ahead:
        says = f"the host's clock is {span} behind this machine's"
    else:
        says = "the clocks of this machine, the host and the domain controller differ"
    more = "; Kerberos refuses more than 5 minutes" if kerberos else ""
    return Cause(
        "clock_skew", "time", "blocks" if kerberos else "warns", says + more, "w32tm /resync", "host",
        "certain" if kerberos else "likely",
    )  # fmt: skip
