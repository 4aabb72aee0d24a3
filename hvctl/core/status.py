"""The exit statuses of verbs."""

from __future__ import annotations

DIFFERS = 2
TROUBLE = 4
FAULT = 70
"""A fault of hvctl itself (EX_SOFTWARE)."""
SKIPPED = 75
"""Exit status of a check that was left out since the one before still runs (EX_TEMPFAIL of sysexits.h): neither "in
sync" nor a fault."""
