"""Who speaks on one connection: basic, NTLM, accounts that lock, and messages sealed with NTLM's keys."""

from __future__ import annotations

import base64
import re
import struct

import spnego
import spnego.exceptions

from mocks.endpoint import Endpoint

_SEALED = re.compile(
    rb"--Encrypted Boundary\r\n\tContent-Type: application/HTTP-SPNEGO-session-encrypted\r\n"
    rb"\tOriginalContent: type=application/soap\+xml;charset=UTF-8;Length=(\d+)\r\n"
    rb"--Encrypted Boundary\r\n\tContent-Type: application/octet-stream\r\n"
)
SEALED_TYPE = 'multipart/encrypted;protocol="application/HTTP-SPNEGO-session-encrypted";boundary="Encrypted Boundary"'


class Login:
    """Of one TCP connection. NTLM's keys live and die with it."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._context: spnego.ContextProxy | None = None
        self.user = ""

    def refused(self, given: str) -> str | None:
        """The header lines of the 401 that an Authorization header earns; None when who speaks is known."""
        if given.startswith("Basic ") and "Basic" in self._endpoint.offers:
            user, _, password = base64.b64decode(given[6:]).decode("latin-1").partition(":")
            right = self._endpoint.users.get(user) == password
            self.user = user if self._let_in(right) else ""
        elif given.startswith("Negotiate "):
            self._endpoint.auth_requests += 1
            if (lines := self._negotiated(base64.b64decode(given[10:]))) is not None:
                return lines
        if not self.user:
            self._endpoint.auth_requests += 1
            return self.offers()
        return None

    def offers(self) -> str:
        """The header lines that say how one may log on."""
        return "".join(
            f"WWW-Authenticate: {o}{' realm=' + chr(34) + 'WSMAN' + chr(34) if o == 'Basic' else ''}\r\n"
            for o in self._endpoint.offers
        )

    def forget(self) -> None:
        """Nobody is logged on any more."""
        self.user, self._context = "", None

    def opened(self, body: bytes) -> bytes | None:
        """What was sealed; None where this connection's key does not open it."""
        found = _SEALED.match(body)
        if found is None or self._context is None:
            return None
        sealed = body[found.end() : body.rindex(b"--Encrypted Boundary--")]
        size = struct.unpack("<i", sealed[:4])[0]
        try:
            opened = self._context.unwrap(sealed[4 : 4 + size] + sealed[4 + size :]).data
        except (spnego.exceptions.SpnegoError, ValueError):
            return None
        return opened if len(opened) == int(found[1]) else None

    def closed(self, body: bytes) -> bytes:
        """Sealed, as SEALED_TYPE says."""
        assert self._context is not None
        wrapped = self._context.wrap(body).data
        return (
            b"--Encrypted Boundary\r\n\tContent-Type: application/HTTP-SPNEGO-session-encrypted\r\n"
            b"\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length=%d\r\n"
            b"--Encrypted Boundary\r\n\tContent-Type: application/octet-stream\r\n" % len(body)
            + struct.pack("<i", 16) + wrapped + b"--Encrypted Boundary--\r\n"
        )  # fmt: skip

    def _negotiated(self, token: bytes) -> str | None:
        """One step of the handshake; the header lines of its 401, None at its good end."""
        if self._context is None or self._context.complete:
            self._context = spnego.server(protocol="ntlm")
            self.user = ""
        try:
            back = self._context.step(token)
        except (spnego.exceptions.SpnegoError, ValueError):
            self._context = None
            self._let_in(False)
            return self.offers()
        if not self._context.complete:
            return f"WWW-Authenticate: Negotiate {base64.b64encode(back or b'').decode()}\r\n"
        if not self._let_in(True):
            return self.offers()
        self.user = str(self._context.client_principal or "").rsplit("\\", 1)[-1]
        return None

    def _let_in(self, right: bool) -> bool:
        """Whether a password that is right or wrong opens the account."""
        lockout = self._endpoint.lockout
        if lockout is None:
            return right
        now = self._endpoint.host.clock.now()
        if now < lockout.until:
            return False
        lockout.wrong = 0 if right else lockout.wrong + 1
        if lockout.wrong >= lockout.tries:
            lockout.until = now + lockout.seconds
        return right
