"""What is said on one connection: each request checked, handed to the shells and answered, or met by a trouble."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from email.utils import format_datetime

from mocks import burdens, soap
from mocks.clock import START
from mocks.endpoint import Endpoint, Entry
from mocks.faults import SHAPES, Trouble
from mocks.login import SEALED_TYPE, Login
from mocks.wire import PLAIN_TYPE, Fin, HttpRequest, Reset, Wire

_REPLACES = (
    frozenset({"http", "undecryptable", "fault", "fault_200", "garbage", "empty", "cut", "content_type", "redirect"})
    | burdens.WRITTEN
)
_BODIES = {
    "html": b"<!DOCTYPE HTML><html><head><title>Error</title></head><body><h2>Error</h2></body></html>",
    "text": b"Service Unavailable",
    "cp932": "<html>サーバー エラー</html>".encode("cp932"),
}
ELSEWHERE = "http://127.0.0.1:9/"
_ON_THE_WAY_BACK = ("mid_reset", "mid_fin", "drip", "close")


class Exchange:
    """Requests and answers on one connection, until it ends."""

    def __init__(self, wire: Wire, endpoint: Endpoint) -> None:
        self._wire, self._endpoint = wire, endpoint
        self._login = Login(endpoint)

    def serve(self) -> None:
        while (request := self._wire.read()) is not None:
            self._handle(request)

    def _handle(self, request: HttpRequest) -> None:
        headers, body, path = request
        if path.rstrip("/") != "/wsman":
            self._reply(404)
            return
        sealed = headers.get("content-type", "").startswith("multipart/encrypted")
        refused = self._login.refused(headers.get("authorization", ""))
        if refused is not None:
            self._reply(401, extra=refused)
            return
        if not body:
            self._reply(200)
            return
        if sealed:
            opened = self._login.opened(body)
            if opened is None:
                # The key was another connection's: 400 with nothing in it, and the context is dead (winrm 2.5).
                self._reply(400)
                raise Reset
            body = opened
        elif not self._endpoint.plain and self._endpoint.scheme == "http":
            self._reply(500)
            return
        self._soap(body, sealed)

    def _cut(self) -> bool:
        """Whether the host's own network is away, as while an external switch is made over it. Time passes."""
        host = self._endpoint.host
        if getattr(host, "reachable", True):
            return False
        host.clock.sleep(1.0)
        return True

    def _soap(self, body: bytes, sealed: bool) -> None:
        endpoint = self._endpoint
        if self._cut():
            raise Reset
        request = soap.read(body)
        if request is None:
            self._reply(400)
            return
        entry = Entry(request.action, self._login.user, 200, received=len(body), message_id=request.message_id)
        endpoint.log.append(entry)
        before = endpoint.faults.strike(request.action, "before", request.message_id, "*")
        if self._upset(before, request, sealed, entry):
            return
        if time.monotonic() < endpoint.busy_until:
            self._told(503, "text", entry)
            return
        if len(body) > 1024 * endpoint.shells.quotas.envelope_kb:
            status, answer = 500, soap.fault(request, soap.TOO_LARGE)
        elif not endpoint.admin:
            status, answer = 500, soap.fault(request, soap.DENIED)
        else:
            found = self._answered(request, before)
            status, answer = (500, soap.fault(request, found)) if isinstance(found, soap.Fault) else (200, found)
        after = endpoint.faults.strike(request.action, "after", request.message_id, "*")
        if self._upset(after, request, sealed, entry, answer):
            return
        if self._cut():
            raise Reset
        for trouble in (*before, *after):
            answer = soap.odd(answer, trouble)
        entry.status, entry.sent = status, len(answer)
        self._reply(status, answer, sealed, trouble=next((t for t in after if t.effect in _ON_THE_WAY_BACK), None))

    def _answered(self, request: soap.Request, troubles: Sequence[Trouble]) -> bytes | soap.Fault:
        """What the shells say, where the way to and from a process may be a bad one."""
        shells, user = self._endpoint.shells, self._login.user
        data, end = [request.data], request.end
        for trouble in troubles:
            match trouble.effect:
                case "twice":
                    data *= 2
                case "undelivered":
                    data = [b""]
                case "truncated":
                    data = [request.data[: -(trouble.amount or 40)]]
                case "end_lost":
                    end = False
        shape = next((t for t in troubles if t.effect in SHAPES), None)
        found = shells.answer(replace(request, data=data[0], end=end), user, shape)
        for more in data[1:]:
            found = shells.answer(replace(request, data=more, end=end), user)
        return found

    def _upset(
        self, troubles: Sequence[Trouble], request: soap.Request, sealed: bool, entry: Entry, answer: bytes = b""
    ) -> bool:
        """Whether a trouble took the place of the answer."""
        for trouble in troubles:
            entry.trouble = trouble.effect
            if self._replaced(trouble, request, sealed, entry, answer):
                return True
            self._endpoint.happens(trouble)
            if trouble.effect == "reboot":
                raise Reset
        return False

    def _replaced(self, trouble: Trouble, request: soap.Request, sealed: bool, entry: Entry, answer: bytes) -> bool:
        match trouble.effect:
            case "reset":
                raise Reset
            case "fin":
                raise Fin
            case "hang":
                self._wire.hang()
            case "delay":
                time.sleep(trouble.seconds)
            case "ramp":
                time.sleep(trouble.seconds * self._endpoint.faults.count(request.action))
            case "http":
                self._told(trouble.code, trouble.text, entry)
            case "redirect":
                entry.status = trouble.code or 307
                self._reply(entry.status, extra=f"Location: {trouble.text or ELSEWHERE}\r\n")
            case effect if effect in burdens.POURED:
                entry.sent = self._wire.pour(burdens.poured(trouble), trouble.seconds)
                raise Fin
            case effect if effect in burdens.WRITTEN:
                self._reply(200, burdens.written(trouble, answer or soap.answer(request, "")), sealed)
            case "undecryptable":
                self._told(400, "", entry)
                raise Reset
            case "fault" | "fault_200":
                fault = soap.told(trouble)
                status = 200 if trouble.effect == "fault_200" else 500
                self._reply(status, soap.fault(request, fault), sealed)
            case "garbage":
                self._reply(200, b"<html>not WS-Man", sealed)
            case "empty":
                self._reply(200)
            case "cut":
                self._reply(200, (answer or soap.answer(request, ""))[: -(trouble.amount or 30)], sealed)
            case "content_type":
                self._reply(200, answer or soap.answer(request, ""), kind="text/html")
        return trouble.effect in _REPLACES

    def _told(self, status: int, body: str, entry: Entry) -> None:
        """HTTP's own answers, as HTTP.sys and what stands before it give them. Never sealed."""
        entry.status = status
        if status == 401:
            self._login.forget()
            self._reply(401, extra=self._login.offers())
            return
        extra = f"Location: {ELSEWHERE}\r\n" if status == 301 else ""
        self._reply(status, _BODIES.get(body, body.encode()), extra=extra, kind="text/html; charset=us-ascii")

    def _reply(
        self,
        status: int,
        body: bytes = b"",
        sealed: bool = False,
        extra: str = "",
        kind: str = PLAIN_TYPE,
        trouble: Trouble | None = None,
    ) -> None:
        data = self._login.closed(body) if sealed and body else body
        self._wire.reply(status, data, extra + self._date(), SEALED_TYPE if sealed else kind, trouble)

    def _date(self) -> str:
        """HTTP.sys puts the time of the host into each answer (RFC 9110, 6.6.1)."""
        now = START + timedelta(seconds=self._endpoint.host.clock.now())
        return f"Date: {format_datetime(now, usegmt=True)}\r\n"
