"""Files of the control node that a playbook names: found, hashed, rendered for a host."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from hvctl.call import Secret, Staged
from hvctl.config.secrets import Ask, NotAskedError, SecretError, resolve
from hvctl.config.template import render_text
from hvctl.core.contents import OddFileError, check_place, open_ordinary, sha256_of
from hvctl.text.diagnostic import ConfigError, Diagnostic, HostDiagnostic, Mark, RefusedError
from hvctl.text.limits import FILE_SIZE, FOLDER_FILES
from hvctl.text.scalars import words
from hvctl.text.source import SecretSource, decoded


@dataclass(frozen=True)
class ControlNode:
    """As seen from one play: relative names begin in the playbook's folder; templates know the host's variables.
    `learn` hears of a secret before a template has it, since the template may fail and say it; `ask` gets it. `trees`:
    the folders whose files a playbook may take without saying more, beside its own."""

    folder: Path
    variables: Mapping[str, Any]
    learn: Callable[[Secret], None]
    trees: tuple[Path, ...] = ()
    ask: Ask = resolve

    def is_folder(self, name: str) -> bool:
        return os.path.isdir(self._path(name))  # noqa: PTH112 - False for what cannot be a name, too

    def file(self, name: str, mark: Mark) -> Staged:
        """Raises ConfigError, at the mark."""
        path = self._path(name)
        try:
            found = open_ordinary(path)
            found.stream.close()
            seen = found.seen
            digest = _hashed(found.path, seen.st_dev, seen.st_ino, seen.st_mtime_ns, seen.st_size)
        except OSError as error:
            raise _unreadable(name, path, error, mark) from error
        return Staged(digest, seen.st_size, name, path=found.path, where=self._where(name, found.path))

    def below(self, name: str, mark: Mark) -> Iterator[tuple[str, str]]:
        """The files of a folder and its folders: as named from the playbook, and from the folder. Links to folders are
        not followed."""
        top = self._path(name)
        count = 0

        def failed(error: OSError) -> None:
            raise _unreadable(name, Path(str(error.filename or top)), error, mark)

        try:
            check_place(os.path.realpath(top))
        except OSError as error:
            failed(error)
        for folder, inner, files in os.walk(top, onerror=failed):
            inner.sort()
            count += len(files)
            if count > FOLDER_FILES.most:
                problem = f"the folder {name} holds too many files ({FOLDER_FILES})"
                raise RefusedError([Diagnostic(mark, problem, "name the folders below it that are meant")])
            for file in sorted(files):
                within = Path(folder, file).relative_to(top)
                yield str(Path(name, within)), within.as_posix()

    def rendered(self, name: str, more: Mapping[str, Any], mark: Mark) -> Staged:
        """A template, with more variables. Raises ConfigError, at the place within the template where it can."""
        path = self._path(name)
        try:
            found = open_ordinary(path)
            with found.stream as stream:
                text = decoded(stream.read(FILE_SIZE.most + 1), str(path))
        except OSError as error:
            raise _unreadable(name, path, error, mark) from error
        secrets: list[str] = []

        def reveal(source: SecretSource) -> str:
            try:
                secret = self.ask(source)
            except SecretError as error:
                missing = error.problem
                raise ConfigError(
                    [HostDiagnostic(missing.mark, f"{missing.message}, for {name} at {mark}", missing.hint)]
                ) from error
            self.learn(secret)
            secrets.append(secret.reveal())
            return secrets[-1]

        where = self._where(name, found.path)
        try:
            made = render_text(text, str(path), {**self.variables, **words(more)}, reveal)
        except NotAskedError:
            return Staged("", 0, name, content=b"", secret=True, where=where)
        data = made.encode("utf-8")
        digest = hashlib.sha256(data).hexdigest()
        return Staged(digest, len(data), name, content=data, secret=bool(secrets), where=where)

    def kept(self) -> None:
        """It is made from the files of now."""

    def _path(self, name: str) -> Path:
        return Path(os.path.abspath(self.folder / os.path.expanduser(name)))  # noqa: PTH100, PTH111 - ~nobody stays

    def _where(self, name: str, real: str) -> str:
        """Where a file really lies; empty if it is below a tree and named so."""
        trees = [os.path.realpath(tree) for tree in (self.folder, *self.trees)]
        plain = os.path.normpath(os.path.join(trees[0], os.path.expanduser(name)))  # noqa: PTH111, PTH118
        inside = any(Path(real).is_relative_to(tree) for tree in trees)
        return "" if inside and plain == real else real


def _unreadable(name: str, path: Path, error: OSError, mark: Mark) -> ConfigError:
    if isinstance(error, FileNotFoundError):
        return ConfigError([Diagnostic(mark, f"there is no file {name}", f"it was looked for at {path}")])
    if isinstance(error, IsADirectoryError):
        return ConfigError([Diagnostic(mark, f"{name} is a folder", "name a file")])
    if isinstance(error, OddFileError):
        return ConfigError(
            [Diagnostic(mark, f"{name} {str(error.strerror).removeprefix('it ')}", "name an ordinary file")]
        )
    hint = "make it readable for you" if isinstance(error, PermissionError) else "name another file"
    return ConfigError([Diagnostic(mark, f"{name} cannot be read: {error.strerror}", hint)])


@lru_cache(maxsize=4096)
def _hashed(path: str, device: int, inode: int, written: int, size: int) -> str:
    """Once per run, however many VMs want it. Raises OSError."""
    found = open_ordinary(path)
    with found.stream as source:
        seen = found.seen
        if (seen.st_dev, seen.st_ino, seen.st_mtime_ns, seen.st_size) != (device, inode, written, size):
            raise OSError(errno.ESTALE, "it is being changed")
        return sha256_of(source)
