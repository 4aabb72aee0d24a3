"""Answers that no WinRM gives: without an end, in crumbs, or a burden to read. Each ends by itself at some 64 MB or 2,000
crumbs, so that whoever reads it all comes to know it."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from itertools import repeat

from mocks.faults import Effect, Trouble

_OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/soap+xml;charset=UTF-8\r\n"
_MUCH = 64 << 20
_BLOCK = b"x" * (64 << 10)
_CRUMBS = 2_000

POURED: frozenset[Effect] = frozenset(
    {"endless_body", "endless_chunks", "endless_mark", "endless_header", "endless_headers", "endless_continue",
     "drip_head", "gzip_bomb"}
)  # fmt: skip
"""What is sent as it is, instead of an answer."""

WRITTEN: frozenset[Effect] = frozenset({"xml_entities", "xml_external", "xml_deep", "xml_wide", "xml_many"})
"""What is answered as a body."""


def poured(trouble: Trouble) -> Iterator[bytes]:
    """The pieces of it."""
    much = trouble.amount or _MUCH
    blocks = much // len(_BLOCK)
    match trouble.effect:
        case "endless_body":
            yield _OK + b"Content-Length: 1000000000000\r\n\r\n" if trouble.code else _OK + b"\r\n"
            yield from repeat(_BLOCK, blocks)
        case "endless_chunks":
            yield _OK + b"Transfer-Encoding: chunked\r\n\r\n"
            yield from repeat(b"%x\r\n%s\r\n" % (len(_BLOCK), _BLOCK), blocks)
        case "endless_mark":
            yield _OK + b"Transfer-Encoding: chunked\r\n\r\n1;"
            yield from repeat(_BLOCK, blocks)
        case "endless_header":
            yield _OK + b"X: "
            yield from repeat(_BLOCK, blocks)
        case "endless_headers":
            yield _OK
            yield from repeat(b"X: %s\r\n" % _BLOCK[:60_000], blocks)
        case "endless_continue":
            yield from repeat(b"HTTP/1.1 100 Continue\r\n\r\n" * 1_000, much // 25_000)
        case "drip_head":
            yield _OK + b"X: "
            yield from repeat(b"x", trouble.amount or _CRUMBS)
        case "gzip_bomb":
            packer = zlib.compressobj(9, wbits=31)
            body = b"".join([*(packer.compress(bytes(len(_BLOCK))) for _ in range(blocks)), packer.flush()])
            yield _OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def written(trouble: Trouble, answer: bytes) -> bytes:
    """The body: an answer that is right, with what makes it a burden."""
    count = trouble.amount or 1_000_000
    match trouble.effect:
        case "xml_entities":
            more = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
            return f'<!DOCTYPE x [<!ENTITY a0 "ten bytes.">{more}]><x>&a9;</x>'.encode()
        case "xml_external":
            return b'<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><x>&f;</x>'
        case "xml_deep":
            return b"<x>" * (count // 7) + b"</x>" * (count // 7)
        case "xml_wide":
            return b"<x %s/>" % b" ".join(b'a%d=""' % n for n in range(count // 10))
        case "xml_many":
            return b"<x>%s</x>" % (b"<y/>" * (count // 4))
    return answer
