"""systemctl, asked; and what to do where it refuses."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping

_SECONDS = 60


class ManagerError(Exception):
    """systemd did not do it. `hint` says what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


class Systemctl:
    """Of the system's manager, or of the user's own."""

    def __init__(self, system: bool, environ: Mapping[str, str]) -> None:
        self._system, self._environ = system, environ

    def program(self) -> str:
        found = shutil.which("systemctl", path=self._environ.get("PATH"))
        if found is None:
            raise ManagerError(
                "there is no systemctl here, so nothing was changed",
                "without it use --format cron, or run `hvctl drift --every` in a container",
            )
        return found

    def ask(self, *words: str, **environ: str) -> str:
        """`environ`: variables beside those of this process."""
        command = [self.program(), *([] if self._system else ["--user"]), *words]
        said = " ".join(["systemctl", *command[1:]])
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=_SECONDS, check=False, env={**self._environ, **environ}
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ManagerError(f"`{said}` did not answer ({type(error).__name__})", self.hint("")) from error
        if done.returncode:
            why = (done.stderr.strip() or done.stdout.strip() or f"status {done.returncode}").splitlines()[0]
            raise ManagerError(f"`{said}` failed: {why}", self.hint(why))
        return done.stdout

    def hint(self, why: str) -> str:
        if not self._system and "bus" in why.casefold():
            return (
                "the user's systemd does not run: log in as that user (not by su or sudo), `loginctl enable-linger`, "
                "or use --system"
            )
        if self._system and os.name == "posix" and os.geteuid() != 0:
            return "--system needs root; without it the timer is the user's own"
        return "try it by hand; --print shows the units, --format cron a line for cron"

    def show(self, unit: str, *properties: str) -> dict[str, str]:
        """Times in UTC."""
        text = self.ask("show", unit, f"--property={','.join(properties)}", TZ="UTC")
        return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)

    def attempt(self, *words: str) -> None:
        try:
            self.ask(*words)
        except ManagerError:
            return


def stays_when_logged_out(environ: Mapping[str, str] | None = None) -> bool | None:
    """Whether the user's manager runs without a login; None if nobody says."""
    try:
        done = subprocess.run(
            ["loginctl", "show-user", "--property=Linger", "--value", str(os.geteuid())],
            capture_output=True, text=True, timeout=_SECONDS, check=False, env=environ,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    return {"yes": True, "no": False}.get(done.stdout.strip())
