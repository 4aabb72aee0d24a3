"""The command line."""

from __future__ import annotations

import hvctl.cli.billing
import hvctl.cli.doctor
import hvctl.cli.exporting
import hvctl.cli.history
import hvctl.cli.metering
import hvctl.cli.replica
import hvctl.cli.schedule
import hvctl.cli.serve
import hvctl.cli.verbs  # noqa: F401  puts the verbs into the app
from hvctl.__main__ import entry  # where console scripts of earlier installations look for it
from hvctl.cli.app import main
from hvctl.fleet.connect import Connect

__all__ = ["Connect", "entry", "main"]
