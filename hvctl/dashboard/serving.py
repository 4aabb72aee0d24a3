"""Serving the application until a stop is asked for."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from starlette.applications import Starlette

_LOOK_S = 0.1
"""How often a stop is looked for."""


class _Server(uvicorn.Server):
    """Signals are heard by who runs it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def listen(address: tuple[str, int]) -> socket.socket:
    """Raises OSError where the address cannot be had."""
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    return socket.create_server(address, family=family, backlog=128)


def serve(application: Starlette, at: socket.socket, stopped: Callable[[], bool]) -> None:
    config = uvicorn.Config(
        application,
        log_level="error",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=5,
        lifespan="off",
    )
    server = _Server(config)

    async def run() -> None:
        serving = asyncio.create_task(server.serve(sockets=[at]))
        while not serving.done():
            if stopped():
                server.should_exit = True
            await asyncio.wait({serving}, timeout=_LOOK_S)
        await serving

    asyncio.run(run())
