"""What a secret may look like once it has been through something."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

from hvctl.text.quoting import expandable, literal

BASE64 = "A-Za-z0-9+/_="
HEX = "0-9A-Fa-f"


def texts(value: str) -> Iterator[str]:
    """Letter by letter, whatever becomes of some of them."""
    yield value
    for ascii_only in (True, False):
        yield json.dumps(value, ensure_ascii=ascii_only)[1:-1]
    for quotes in (True, False):
        escaped = html.escape(value, quote=quotes)
        yield escaped
        yield escaped.encode("ascii", "xmlcharrefreplace").decode()
    yield value.replace("'", "''")
    yield literal(value)[1:-1]
    yield expandable(value)
    for wrong in ("latin-1", "cp1252", "cp932"):  # code pages that UTF-8 is taken for
        yield _bytes(value, "utf-8").decode(wrong, "replace")
    yield repr(value)[1:-1]
    yield ascii(value)[1:-1]
    for quoted in (quote(value, errors="replace"), quote(value, safe="", errors="replace"),
                   quote_plus(value, errors="replace")):  # fmt: skip
        yield quoted
        yield re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), quoted)


def spaced(value: str) -> Iterator[str]:
    """Every letter with something beside it: UTF-16 that was taken for a code page, URLs that quote whatever they can."""
    yield _bytes(value, "utf-16-le").decode("latin-1")
    for nul in ("\0", "\\0", "\\x00", "\\u0000", "%00"):
        yield nul.join(value)
    quoted = "".join(f"%{byte:02X}" for byte in _bytes(value, "utf-8"))
    yield quoted
    yield quoted.lower()


def _bytes(value: str, encoding: str) -> bytes:
    return value.encode(encoding, "surrogatepass")


def base64s(value: str) -> Iterator[str]:
    """Wherever it stands in what was encoded as a whole; letters that its neighbours have a share in are left out."""
    for encoding in ("utf-8", "utf-16-le", "utf-16-be"):
        data = _bytes(value, encoding)
        for shift in range(3):
            coded = base64.b64encode(b"\0" * shift + data).decode().rstrip("=")
            own = coded[(0, 2, 3)[shift] : (shift + len(data)) * 8 // 6]
            yield own
            yield own.translate(str.maketrans("+/", "-_"))


def hexes(value: str) -> Iterator[str]:
    """As dumps write bytes."""
    for encoding in ("utf-8", "utf-16-le", "utf-16-be"):
        for apart in ("", " ", "-", ":", ",", ", "):
            for before in ("", "0x"):
                dump = apart.join(f"{before}{byte:02x}" for byte in _bytes(value, encoding))
                yield dump
                yield dump.upper().replace("0X", "0x")


def login(user: str, password: str) -> Iterator[str]:
    """What an Authorization header says (RFC 7617)."""
    for encoding in ("utf-8", "utf-16-le"):
        coded = base64.b64encode(_bytes(f"{user}:{password}", encoding)).decode()
        yield coded
        yield coded.translate(str.maketrans("+/", "-_"))
