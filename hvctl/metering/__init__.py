"""Resource metering: from what meters said to what was used and what it costs. Pure arithmetic; it asks nobody."""

from __future__ import annotations

from hvctl.metering.reading import HostReading, Quantity, Reading

__all__ = ["HostReading", "Quantity", "Reading"]
