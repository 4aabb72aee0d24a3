"""Who may look: a token, or a name that a reverse proxy vouches for; and the headers that keep a page to itself."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hvctl.call import Secret

COOKIE = "hvctl_dashboard"
_DAYS_S = 12 * 3600
HEADERS = {
    # Scripts and styles are files of ours; nothing is loaded from elsewhere, and no page is shown within another one.
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


@dataclass(frozen=True)
class Anyone:
    """Whoever reaches the port, which is this machine's alone."""

    def user(self, request: Request) -> str | None:
        return ""


@dataclass(frozen=True)
class ByToken:
    token: Secret

    def user(self, request: Request) -> str | None:
        word, _, given = request.headers.get("authorization", "").partition(" ")
        if word.casefold() == "bearer" and self.right(given):
            return ""
        return "" if _same(request.cookies.get(COOKIE, ""), self.proof) else None

    def right(self, given: str) -> bool:
        return _same(given.strip(), self.token.reveal())

    @property
    def proof(self) -> str:
        """What a browser keeps: not the token itself."""
        return sha256(f"hvctl dashboard\0{self.token.reveal()}".encode()).hexdigest()


@dataclass(frozen=True)
class ByProxy:
    """The header in which a reverse proxy names who has logged on to it; believed only of the proxy's own addresses."""

    header: str
    proxies: Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network]

    def user(self, request: Request) -> str | None:
        try:
            peer = ipaddress.ip_address(request.client.host if request.client else "")
        except ValueError:
            return None
        if not any(peer in network for network in self.proxies):
            return None
        given = request.headers.get(self.header)
        # Bytes of a header come as Latin-1; proxies send UTF-8.
        return given.encode("latin-1", "replace").decode("utf-8", "replace") if given else None


Guard = Anyone | ByToken | ByProxy


def _same(given: str, right: str) -> bool:
    return hmac.compare_digest(given.encode(), right.encode())


class Guarded:
    """Middleware: nothing but the way in, and the files of the pages, without leave; headers on everything; only reading."""

    def __init__(self, app: ASGIApp, guard: Guard) -> None:
        self.app, self.guard = app, guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def headed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    if name != "cache-control" or name not in headers:
                        headers[name] = value
            await send(message)

        request = Request(scope)
        refusal = self._refusal(request)
        await (refusal or self.app)(scope, receive, headed)

    def _refusal(self, request: Request) -> Response | None:
        path = request.url.path
        way_in = path == "/login" and isinstance(self.guard, ByToken)
        if request.method not in ("GET", "HEAD") and not (way_in and request.method == "POST"):
            return PlainTextResponse("only reading\n", 405, headers={"allow": "GET, HEAD"})
        user = self.guard.user(request)
        if user is not None:
            request.scope["user_name"] = user
            return None
        if way_in or path.startswith("/static/") or path == "/healthz":
            return None
        if isinstance(self.guard, ByToken) and "text/html" in request.headers.get("accept", ""):
            return RedirectResponse("/login", 303)
        wants = {"www-authenticate": "Bearer"} if isinstance(self.guard, ByToken) else {}
        return PlainTextResponse("not allowed\n", 401, headers=wants)


def let_in(guard: ByToken, *, secure: bool) -> Response:
    """After the right token: to the first page, with a cookie for half a day."""
    response = RedirectResponse("/", 303)
    response.set_cookie(COOKIE, guard.proof, max_age=_DAYS_S, httponly=True, samesite="strict", secure=secure)
    return response
