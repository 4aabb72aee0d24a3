"""Between the names and paths of a case and those on a real host: all are called hvctl-test-… and lie in one folder."""

from __future__ import annotations

import os
import re
from typing import Any

FOLDER = os.environ.get("HVCTL_REAL_FOLDER", r"C:\hvctl-test-files")
PREFIX = "hvctl-test-"
Data = dict[str, Any]


class Names:
    """Between the names and paths of a case and those of the test."""

    def __init__(self, host: Data, playbook: Data) -> None:
        made = [
            *host.get("vms", ()),
            *host.get("switches", ()),
            *playbook.get("vms", ()),
            *playbook.get("switches", ()),
        ]
        told = [name for thing in made for name in (thing["name"], *thing.get("previous_names", ()))]
        self.names = {name.casefold() for name in told}
        self.ids: dict[str, str] = {}  # the host's own -> the case's

    def ours(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {self.ours(k): self.ours(v) for k, v in value.items()}
        if isinstance(value, list):
            return [self.ours(v) for v in value]
        if not isinstance(value, str):
            return value
        if value.casefold() in self.names:
            return PREFIX + value
        if value.startswith("network ") and value[8:].casefold() in self.names:
            return f"network {PREFIX}{value[8:]}"
        if not re.match(r"[A-Za-z]:\\", value):
            return value
        parts = [PREFIX + part if part.casefold() in self.names else part for part in value[3:].split("\\")]
        return "\\".join((FOLDER, value[0], *parts))

    def theirs(self, text: str) -> str:
        text = re.sub(re.escape(FOLDER) + r"\\([A-Za-z])\\", r"\1:\\", text).replace(PREFIX, "")
        for own, given in self.ids.items():
            text = text.replace(own, given)
        return plainly(re.sub(r"'([A-Za-z][A-Za-z0-9]*)'", r"\1", text))


def plainly(call: str) -> str:
    return call.replace(" -TurnOff:$true -Force:$true", "")  # without a guest nobody hears a plain Stop-VM
