"""Asking before anything is changed."""

from __future__ import annotations

import sys

from hvctl.cli.options import Settings

NOTHING_TO_APPROVE = "a report instead of text leaves nothing to approve: add --auto-approve or --check"
INTERRUPTED = "Interrupted: what is marked as not done was not begun."


def approved(settings: Settings) -> bool:
    if not sys.stdin.isatty():
        settings.err.print("There is nobody to ask; say --auto-approve to go on without asking.")
        return False
    try:
        settings.stop.release()
        return settings.out.input("Apply this? Only 'yes' goes on: ").strip() == "yes"
    except (KeyboardInterrupt, EOFError):
        settings.out.print()
        return False
    finally:
        settings.stop.hold()
