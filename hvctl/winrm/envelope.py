"""pywinrm's messages, over a session of ours, and read only where they are what SOAP allows."""

from __future__ import annotations

from typing import Any
from xml.parsers import expat

import requests
from winrm.exceptions import WinRMTransportError
from winrm.transport import Transport

from hvctl.winrm.faults import WireFault
from hvctl.winrm.meter import Meter
from hvctl.winrm.session import secured

DEPTH, ATTRIBUTES, ELEMENTS = 64, 128, 100_000
"""WS-Man's own envelopes are some ten elements deep and have ten attributes at most."""


class BoundedTransport(Transport):
    """Of one connection. The session is secured before its first request: with encryption, building it sends one."""

    def __init__(self, meter: Meter, **options: Any) -> None:
        super().__init__(**options)
        self._meter = meter

    def build_session(self) -> requests.Session:
        if self.session is None:
            secured(super().build_session(), self._meter)
        assert self.session is not None
        return self.session

    def setup_encryption(self, session: requests.Session) -> None:
        super().setup_encryption(secured(session, self._meter))

    def send_message(self, message: str | bytes) -> bytes:
        """Raises WireFault for XML that would be a burden to read."""
        try:
            answer = super().send_message(message)
        except WinRMTransportError as error:
            # A page with a document type, as proxies answer, is no fault of WS-Man's: its status says what it is.
            if not harmless(error.response_text.encode(), self._meter.target):
                raise WinRMTransportError("http", error.code, "") from None
            raise
        check(answer, self._meter.target)
        return answer


def harmless(document: bytes, target: str) -> bool:
    try:
        check(document, target)
    except WireFault:
        return False
    return True


def check(document: bytes, target: str) -> None:
    """Raises WireFault. What is not well-formed is left to whoever parses it: that ends at the same place."""
    depth = elements = 0

    def refused(why: str) -> WireFault:
        return WireFault("protocol", f"{target} answered with XML that is not read: {why}")

    def started(name: str, attributes: list[str]) -> None:
        nonlocal depth, elements
        depth, elements = depth + 1, elements + 1
        if depth > DEPTH or elements > ELEMENTS:
            raise refused(f"more than {DEPTH} elements deep" if depth > DEPTH else f"more than {ELEMENTS:,} elements")
        if len(attributes) > 2 * ATTRIBUTES:
            raise refused(f"an element with more than {ATTRIBUTES} attributes")

    def ended(name: str) -> None:
        nonlocal depth
        depth -= 1

    def declared(*about: object) -> None:
        # Entities are declared there. SOAP 1.2, 5: a message must not contain a document type declaration.
        raise refused("it declares a document type")

    parser = expat.ParserCreate()
    parser.ordered_attributes = True
    parser.StartDoctypeDeclHandler = declared
    parser.StartElementHandler = started
    parser.EndElementHandler = ended
    try:
        parser.Parse(document, True)
    except expat.ExpatError:
        return
