"""Transports for tests: around another one, and to a host that nobody reaches."""

from __future__ import annotations

from collections.abc import Callable

from hvctl.call import Batch, Event, HostInfo, Reply, Transport, TransportError


class Around:
    """As the transport within, but for what a test makes of it."""

    def __init__(self, inner: Transport) -> None:
        self.inner = inner

    def run(self, batch: Batch, on_event: Callable[[Event], None] = lambda event: None) -> list[Reply]:
        return self.inner.run(batch, on_event)

    def info(self) -> HostInfo:
        return self.inner.info()

    @property
    def requests(self) -> int:
        return self.inner.requests

    def stop(self) -> TransportError | None:
        return self.inner.stop()

    def close(self) -> None:
        self.inner.close()


class Gone:
    """A host that nobody reaches."""

    def __init__(self, requests: int = 0) -> None:
        self.requests = requests

    def run(self, batch: Batch, on_event: Callable[[Event], None] = lambda event: None) -> list[Reply]:
        raise TransportError("connection refused by 192.0.2.1:5986 (5 tries in 8 s)", hint="is WinRM running there?")

    def info(self) -> HostInfo:
        raise TransportError("connection refused")

    def stop(self) -> None: ...

    def close(self) -> None: ...
