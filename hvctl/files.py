"""Writing a file whole or not at all."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def write_whole(file: str | Path, text: str) -> None:
    """Whoever reads meanwhile sees the old text or the new. Raises OSError; then the old file is untouched."""
    target = Path(file)
    if target.exists() and not target.is_file():
        target.write_text(text, encoding="utf-8")  # /dev/stdout, a pipe: nothing to replace
        return
    target = target.resolve()  # a link stays a link
    new = target.with_name(f".{target.name[:80]}.{os.getpid()}.new")
    try:
        with new.open("w", encoding="utf-8", errors="replace", newline="\n") as stream:
            stream.write(text)
        if target.exists():
            new.chmod(target.stat().st_mode & 0o7777)
        new.replace(target)
    except BaseException:
        with suppress(OSError):
            new.unlink()
        raise


def why_not(file: str | Path) -> str:
    """Why a file could not be written, as far as can be known beforehand; empty: nothing speaks against it."""
    target = Path(file)
    if target.is_dir():
        return "it is a folder"
    if target.exists():
        return "" if os.access(target, os.W_OK) else "it is write-protected"
    if not target.parent.is_dir():
        return f"there is no folder {target.parent}"
    return "" if os.access(target.parent, os.W_OK) else f"nothing may be written into {target.parent}"
