"""HTTP to one host: no redirect, no proxy, and no more bytes or time than the host's limits allow.

Everything that pywinrm and the libraries of authentication send goes through the adapter here, so that it holds for each
of them and for each leg of a handshake.
"""

from __future__ import annotations

import io
import os
import socket
import ssl
import string
from collections.abc import Iterator, Mapping
from functools import lru_cache
from http.client import HTTPResponse
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import quote

import requests
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.response import BaseHTTPResponse
from urllib3.util.ssl_ import create_urllib3_context

from hvctl.winrm.faults import WireFault
from hvctl.winrm.meter import Meter, oversized

PIECE = 16_384
"""Bytes that are sent at once: between two of them the clock is looked at."""


def secured(session: requests.Session, meter: Meter) -> requests.Session:
    """The session, with nothing of the environment: proxies, ~/.netrc (winrm 1.4); and with no cookies, which WinRM does not
    use and which a host could set without an end. What is secured stays as it is: NTLM's keys are those of the connection
    that the adapter keeps."""
    session.trust_env = False
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
    if isinstance(session.adapters["https://"], MeteredAdapter):
        return session
    adapter = MeteredAdapter(meter)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


class MeteredAdapter(HTTPAdapter):
    """Of one session."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _pools(self._meter)

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: bool | str = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Raises WireFault for a redirect: wherever it leads, nothing of ours goes there."""
        response = super().send(request, stream=stream, timeout=timeout, verify=verify, cert=cert, proxies=None)
        if 300 <= response.status_code < 400:
            # As a URL would have them: no control character reaches whoever reads of it.
            where = quote(response.headers.get("Location", "")[:200], safe=string.punctuation) or "nowhere"
            response.close()
            target, code = self._meter.target, response.status_code
            text = f"{target} redirects to {where} (HTTP {code}), which is not followed"
            raise WireFault("redirect", text, code, outside=where)
        return response

    def cert_verify(self, conn: Any, url: str, verify: bool | str, cert: Any) -> None:
        """The context knows whom to trust; a certificate of one's own is left to requests."""
        if cert:
            super().cert_verify(conn, url, verify, cert)  # type: ignore[no-untyped-call]

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: bool | str, cert: Any = None
    ) -> tuple[Any, Any]:
        host, pool = super().build_connection_pool_key_attributes(request, verify, cert)
        if host["scheme"] == "https" and not cert:
            required = verify is not False
            context = self._trusting(DEFAULT_CA_BUNDLE_PATH if verify is True else str(verify) if verify else "")
            pool = {"cert_reqs": "CERT_REQUIRED" if required else "CERT_NONE", "ssl_context": context}
        return host, pool

    def _trusting(self, path: str) -> ssl.SSLContext:
        """Raises WireFault where its authorities cannot be had; nothing has been sent then."""
        needs = f"which the connection to {self._meter.target} needs"
        try:
            found = os.stat(path) if path else None  # noqa: PTH116 - of a text
            return _trusting(path, found.st_mtime_ns if found else 0, found.st_size if found else 0)
        except FileNotFoundError as error:
            raise WireFault("certificate", f"{path} is not there, {needs}") from error
        except OSError as error:  # ssl.SSLError among them
            raise WireFault("certificate", f"no certificate can be read of {path}, {needs}") from error

    def build_response(self, req: requests.PreparedRequest, resp: BaseHTTPResponse) -> requests.Response:
        bounded = BoundedResponse(self._meter)
        bounded.__dict__ |= super().build_response(req, resp).__dict__
        return bounded


@lru_cache(8)
def _trusting(path: str, changed: int, size: int) -> ssl.SSLContext:
    """One for all hosts: to read the system's authorities takes longer than to ask a host everything (winrm 1.7). `changed`,
    `size`: of the file, so that another one is read. "": no certificate is looked at."""
    context = create_urllib3_context(cert_reqs=ssl.CERT_REQUIRED if path else ssl.CERT_NONE)
    if path:
        folder = os.path.isdir(path)  # noqa: PTH112 - of a text
        context.load_verify_locations(**{"capath" if folder else "cafile": path})
    return context


class BoundedResponse(requests.Response):
    """Whose body, as it is after decompression, ends at the limit."""

    def __init__(self, meter: Meter) -> None:
        super().__init__()
        self._meter = meter

    def iter_content(self, chunk_size: int | None = 1, decode_unicode: bool = False) -> Iterator[Any]:
        taken = 0
        for chunk in super().iter_content(chunk_size, decode_unicode):
            taken += len(chunk)
            if taken > self._meter.limits.response:
                self.close()
                raise _too_large(self._meter)
            yield chunk


class MeteredReader(io.RawIOBase):
    """The bytes of one HTTP answer as they come off the wire: status line, headers, marks of chunks and body."""

    def __init__(self, raw: socket.SocketIO, sock: socket.socket, meter: Meter) -> None:
        self._raw, self._meter = raw, meter
        self._taken = 0
        self._sock = sock
        """requests_ntlm and pywinrm's Kerberos take the certificate for the channel binding from a reader's `_sock`."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        with self._meter.waiting(self._sock):
            count = self._raw.readinto(buffer)
        self._taken += count or 0
        if self._taken > self._meter.limits.response:
            raise _too_large(self._meter)
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


def _too_large(meter: Meter) -> WireFault:
    return oversized(meter.target, "an HTTP answer", f"{meter.limits.response:,} bytes", "response")


def _pools(meter: Meter) -> dict[str, type[HTTPConnectionPool]]:
    """Connections on which each answer is read by a MeteredReader, and each piece sent, by this clock."""

    class Answer(HTTPResponse):
        def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
            super().__init__(sock, *args, **kwargs)
            self.fp.close()
            self.fp = io.BufferedReader(MeteredReader(sock.makefile("rb", buffering=0), sock, meter))

    class Timed(HTTPConnection):
        response_class = Answer

        def connect(self) -> None:
            if isinstance(self.timeout, int | float):
                self.timeout = min(self.timeout, meter.patience())
            super().connect()
            meter.connected()

        def send(self, data: Any) -> None:
            if self.sock is None:
                self.connect()
            if not isinstance(data, bytes):
                super().send(data)
                return
            for at in range(0, len(data), PIECE):
                with meter.waiting(self.sock):
                    super().send(data[at : at + PIECE])

    class TimedTLS(Timed, HTTPSConnection):
        pass

    class Pool(HTTPConnectionPool):
        ConnectionCls = Timed

    class PoolTLS(HTTPSConnectionPool):
        ConnectionCls = TimedTLS

    return {"http": Pool, "https": PoolTLS}
