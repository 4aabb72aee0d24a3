"""Asking before anything is changed."""

from __future__ import annotations

import sys

from hvctl.cli.options import Settings


def approved(settings: Settings) -> bool:
    if not sys.stdin.isatty():
        settings.err.print("There is nobody to ask; say --auto-approve to go on without asking.")
        return False
    return settings.out.input("Apply this? Only 'yes' goes on: ").strip() == "yes"
