"""What `-i` names: a file, a folder of files, a list of hosts; and which files of a folder count."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path as File

from hvctl.text.diagnostic import ConfigError, Diagnostic
from hvctl.text.source import name_of

ENDINGS = ("", ".yml", ".yaml", ".json")
"""Of files of variables, in the order in which they are looked for."""

_IGNORED = re.compile(
    r"^\.|^(?:host_vars|group_vars|vars_plugins)$|~$|\.(?:pyc|pyo|swp|bak|rpm|md|txt|rst|orig|cfg|retry)$"
)
"""Ansible's defaults: INVENTORY_IGNORE_EXTS, and what is never an inventory."""


def is_host_list(given: str) -> bool:
    """`a,b,` is a list of hosts, unless there is such a file."""
    return "," in given and not os.path.exists(given)  # noqa: PTH110 - a list is no path


def files_of(given: str) -> list[File]:
    """The files of one source, in the order in which they are read. Raises ConfigError."""
    top = File(os.path.expandvars(given)).expanduser()
    if not top.is_dir():
        return [top]
    try:
        files = list(_below(top, ()))
    except OSError as error:
        message = f"{name_of(str(error.filename or top))} cannot be read: {error.strerror}"
        raise ConfigError([Diagnostic(None, message, "make it readable for you")]) from error
    if not files:
        raise ConfigError([Diagnostic(None, f"{given} holds no inventory", "put a file with hosts into it")])
    return files


def _below(folder: File, above: tuple[str, ...]) -> Iterator[File]:
    here = os.path.realpath(folder)
    if here in above:  # a link that leads back
        return
    for path in sorted(folder.iterdir(), key=os.fsencode):
        if _IGNORED.search(path.name):
            continue
        if path.is_dir():
            yield from _below(path, (*above, here))
        else:
            yield path


def variable_files(folder: File, name: str) -> list[File]:
    """Of a group or host in a folder `group_vars` or `host_vars`: the first of NAME, NAME.yml, NAME.yaml and NAME.json
    that is there, be it a file or a folder of files."""
    if name in (".", "..") or any(c in name for c in "/\\\0"):
        return []
    for ending in ENDINGS:
        path = os.path.join(folder, name + ending)  # noqa: PTH118 - a name that cannot be a file's is not there
        if os.path.isdir(path):  # noqa: PTH112
            return list(_variables_below(File(path), ()))
        if os.path.exists(path):  # noqa: PTH110
            return [File(path)]
    return []


def _variables_below(folder: File, above: tuple[str, ...]) -> Iterator[File]:
    """Hidden files, backups and folders with an ending do not count."""
    here = os.path.realpath(folder)
    if here in above:
        return
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.name.endswith("~"):
            continue
        if path.is_dir():
            if not path.suffix:
                yield from _variables_below(path, (*above, here))
        elif path.is_file() and path.suffix in ENDINGS:
            yield path
