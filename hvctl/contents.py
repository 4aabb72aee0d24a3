"""The bytes of files that calls need: where they are on the control node, and whether they are still the same."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from hvctl.call import Batch, Map, Staged


def files_of(batch: Batch) -> tuple[Staged, ...]:
    """Every file that a batch needs, each once."""
    found: dict[str, Staged] = {}
    for task in batch.tasks:
        for value in files_in(task.call.params):
            found.setdefault(value.sha256, value)
    return tuple(found.values())


def files_in(value: Any) -> Iterator[Staged]:
    if isinstance(value, Staged):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from files_in(inner)
    elif isinstance(value, Map):
        yield from files_in(value.items)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from files_in(inner)


def opened(file: Staged) -> BinaryIO:
    """Raises OSError."""
    return io.BytesIO(file.content) if file.content is not None else Path(file.path).open("rb")


def hash_of(file: Staged) -> str:
    """What it is now, in hex. Raises OSError."""
    with opened(file) as source:
        return sha256_of(source)


def sha256_of(source: BinaryIO) -> str:
    digest = hashlib.sha256()
    while data := source.read(1 << 20):
        digest.update(data)
    return digest.hexdigest()


def changed_sources(batch: Batch) -> list[str]:
    """What lies otherwise on the control node than when the plan was made, one line each."""
    lines = []
    for file in files_of(batch):
        try:
            now = hash_of(file)
        except OSError as error:
            lines.append(f"{file.name} of the control node: cannot be read any more ({error.strerror})")
            continue
        if now != file.sha256:
            lines.append(f"{file.name} of the control node: sha256 {file.sha256[:12]} → {now[:12]}")
    return lines
