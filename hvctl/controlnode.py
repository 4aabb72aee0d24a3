"""Files of the control node that a playbook names: found, hashed, rendered for a host."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from hvctl.call import Secret, Staged
from hvctl.contents import sha256_of
from hvctl.scalars import words
from hvctl.secrets import Ask, NotAskedError, SecretError, resolve
from hvctl.source import ConfigError, HostProblem, Mark, Problem, SecretSource, read_text
from hvctl.template import render_text


@dataclass(frozen=True)
class ControlNode:
    """As seen from one play: relative names begin in the playbook's folder; templates know the host's variables.
    `learn` hears of a secret before a template has it, since the template may fail and say it; `ask` gets it."""

    folder: Path
    variables: Mapping[str, Any]
    learn: Callable[[Secret], None]
    ask: Ask = resolve

    def is_folder(self, name: str) -> bool:
        return self._path(name).is_dir()

    def file(self, name: str, mark: Mark) -> Staged:
        """Raises ConfigError, at the mark."""
        path = self._path(name)
        try:
            seen = path.stat()
            _check_ordinary(name, seen.st_mode, mark)
            return Staged(_hashed(str(path), seen.st_mtime_ns, seen.st_size), seen.st_size, name, path=str(path))
        except OSError as error:
            raise _unreadable(name, path, error, mark) from error

    def below(self, name: str, mark: Mark) -> Iterator[tuple[str, str]]:
        """The files of a folder and its folders: as named from the playbook, and from the folder."""
        top = self._path(name)

        def failed(error: OSError) -> None:
            raise _unreadable(name, Path(str(error.filename or top)), error, mark)

        for folder, inner, files in os.walk(top, onerror=failed):
            inner.sort()
            for file in sorted(files):
                within = Path(folder, file).relative_to(top)
                yield str(Path(name, within)), within.as_posix()

    def rendered(self, name: str, more: Mapping[str, Any], mark: Mark) -> Staged:
        """A template, with more variables. Raises ConfigError, at the place within the template where it can."""
        path = self._path(name)
        try:
            _check_ordinary(name, path.stat().st_mode, mark)
        except OSError as error:
            raise _unreadable(name, path, error, mark) from error
        secrets: list[str] = []

        def reveal(source: SecretSource) -> str:
            try:
                secret = self.ask(source)
            except SecretError as error:
                missing = error.problem
                raise ConfigError(
                    [HostProblem(missing.mark, f"{missing.message}, for {name} at {mark}", missing.hint)]
                ) from error
            self.learn(secret)
            secrets.append(secret.reveal())
            return secrets[-1]

        try:
            text = render_text(read_text(path), str(path), {**self.variables, **words(more)}, reveal)
        except NotAskedError:
            return Staged("", 0, name, content=b"", secret=True)
        data = text.encode("utf-8")
        return Staged(hashlib.sha256(data).hexdigest(), len(data), name, content=data, secret=bool(secrets))

    def _path(self, name: str) -> Path:
        return (self.folder / Path(name).expanduser()).absolute()


def _check_ordinary(name: str, mode: int, mark: Mark) -> None:
    if stat.S_ISDIR(mode):
        raise ConfigError([Problem(mark, f"{name} is a folder", "name a file")])
    if not stat.S_ISREG(mode):  # a pipe or a device may never end
        raise ConfigError([Problem(mark, f"{name} is no ordinary file", "name one that is")])


def _unreadable(name: str, path: Path, error: OSError, mark: Mark) -> ConfigError:
    if isinstance(error, FileNotFoundError):
        return ConfigError([Problem(mark, f"there is no file {name}", f"it was looked for at {path}")])
    return ConfigError([Problem(mark, f"{name} cannot be read: {error.strerror}", "make it readable for you")])


@lru_cache(maxsize=4096)
def _hashed(path: str, written: int, size: int) -> str:
    """Once per run, however many VMs want it."""
    with Path(path).open("rb") as source:
        return sha256_of(source)
