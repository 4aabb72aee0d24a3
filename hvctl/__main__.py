"""`python -m hvctl`."""

from hvctl.cli import entry

entry()
