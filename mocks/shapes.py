"""How the output of a process reaches a client when it does not come as it should (winrm 6, groups 9 and 10)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

from mocks.faults import Trouble
from mocks.garbling import garbled

_NOISE = b"WARNING: \xe8\xad\xa6\xe5\x91\x8a\r\n#< CLIXML\r\n"
_PROGRESS = (
    b'<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04"><Obj S="progress" RefId="0">'
    b'<MS><PR N="Record"><AV>Preparing modules for first use.</AV></PR></MS></Obj></Objs>'
)
_LINE = re.compile(rb"\n@hv1 [^\n]*\n")


@dataclass(frozen=True)
class Piece:
    """One ReceiveResponse. `back`: what is kept for the next one."""

    streams: tuple[tuple[str, bytes], ...]
    code: int | None = None
    exit_code: bool = True
    ends: bool = True
    back: bytes = b""

    @property
    def done(self) -> bool:
        return self.code is not None


def plain(out: bytes, err: bytes, code: int | None) -> Piece:
    return Piece(tuple((n, d) for n, d in (("stdout", out), ("stderr", err)) if d), code)


def shaped(trouble: Trouble, out: bytes, err: bytes, code: int | None) -> Piece:
    """What becomes of one piece of output."""
    piece = plain(out, err, code)
    match trouble.effect:
        case "split":
            size = trouble.amount or max(1, len(out) // 2)
            rest = out[size:]
            return replace(plain(out[:size], err, None if rest else code), back=rest)
        case "streams":
            size = trouble.amount or 1
            parts: list[tuple[str, bytes]] = []
            for n in range(0, len(out), size):
                parts += [("stdout", out[n : n + size])] + [("stderr", b"~")] * (n % 5 == 0)
            return replace(piece, streams=tuple(parts))
        case "done_apart":
            return replace(piece, code=None)
        case "no_exit_code":
            return replace(piece, code=1 if code is None else code, exit_code=False)
        case "no_ends":
            return replace(piece, ends=False)
        case "gap" if code is None:
            return Piece((), None)
        case "flood":
            return Piece((), back=(b"x" * 99 + b"\n") * (trouble.amount // 100) + out)
        case "endless_line":
            return Piece((("stdout", b"x" * (trouble.amount or 1_000_000)),), back=out or b"x")
        case "nothing":
            return Piece((), back=out)
        case "garbled":
            return plain(garbled(out, Random(f"{trouble.amount} {len(out)}")), err, code)
        case _:
            return replace(piece, streams=plain(*_noisy(trouble, out, err), None).streams)


def _noisy(trouble: Trouble, out: bytes, err: bytes) -> tuple[bytes, bytes]:
    match trouble.effect:
        case "noise":
            return _NOISE + out, _NOISE + err
        case "bom":
            return b"\xef\xbb\xbf" + out, err
        case "clixml":
            return out, err + b"#< CLIXML\r\n" + _PROGRESS
        case "clixml_twice":
            return out, err + b"#< CLIXML\r\n" + _PROGRESS + b"\r\n#< CLIXML\r\n" + _PROGRESS[:70]
        case "warning":
            return b"WARNING: The operation is slow.\r\n" + out + b"WARNING: it was", err
        case "cp932":
            return out + "警告: 完了\r\n".encode("cp932"), err
        case "plain_line":
            return b'{"n":1,"t":"end","ok":true}\n' + out, err
        case "stderr":
            return out, err + trouble.text.encode()
        case "line_twice":
            return _LINE.sub(lambda m: m[0] * 2, out), err
        case "lines_swapped":
            return _swapped(out, _LINE.findall(out)), err
    return out, err


def _swapped(out: bytes, lines: Sequence[bytes]) -> bytes:
    if len(lines) < 3:
        return out
    return out.replace(lines[-2] + lines[-1], lines[-1] + lines[-2])
