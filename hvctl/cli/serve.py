"""The verb serve: the history as pages in a browser."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from hvctl.call import Secret
from hvctl.cli.app import app
from hvctl.cli.options import EXIT_INTERRUPTED, History, Settings
from hvctl.cli.prepared import inventory_of
from hvctl.cli.remembered import remembering
from hvctl.cli.span import span
from hvctl.history import HistoryError
from hvctl.monitor.listen import parse_address
from hvctl.monitor.schedule.systemd import Manager
from hvctl.monitor.schedule.units import described
from hvctl.text.diagnostic import ConfigError, Diagnostic
from hvctl.text.extras import command, need
from hvctl.text.garbage import started
from hvctl.text.machine import this_machine
from hvctl.text.visible import quoted

if TYPE_CHECKING:
    from hvctl.dashboard.guard import Guard
    from hvctl.dashboard.runs import Timer

TOKEN = "HVCTL_DASHBOARD_TOKEN"
_SHORTEST = 16


@app.command()
def serve(
    context: typer.Context,
    listen: Annotated[
        str, typer.Option("--listen", metavar="ADDRESS:PORT", help="Where the pages are served.")
    ] = "127.0.0.1:8480",
    auth: Annotated[
        str | None,
        typer.Option(
            "--auth",
            metavar="token|header:NAME",
            help=f"Who may look: whoever has the token of {TOKEN}, or whom a reverse proxy names in a header.",
        ),
    ] = None,
    proxy: Annotated[
        list[str] | None,
        typer.Option("--proxy", metavar="ADDRESS|NETWORK", help="Where that reverse proxy is (this machine)."),
    ] = None,
    name: Annotated[
        list[str] | None, typer.Option("--name", metavar="NAME", help="A name that browsers ask for the pages by.")
    ] = None,
    stale: Annotated[
        str, typer.Option("--stale", metavar="SPAN", help="Tell hosts that were not checked for longer than this.")
    ] = "1d",
    language: Annotated[
        str | None,
        typer.Option("--lang", metavar="en|ja", help="For all readers; otherwise what their browser prefers."),
    ] = None,
    title: Annotated[str, typer.Option("--title", metavar="TEXT", help="What stands above the pages.")] = "hvctl",
    history: History = None,
) -> None:
    """Show the history in a browser: read only, no host is asked."""
    need("dashboard", "hvctl serve")
    settings: Settings = remembering(context.obj, history, needed="the dashboard")
    assert settings.history is not None
    try:
        from hvctl.dashboard.app import application
        from hvctl.dashboard.languages import LANGUAGES
        from hvctl.dashboard.pages import Site
        from hvctl.dashboard.serving import listen as opened
        from hvctl.dashboard.serving import serve as served
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in ("starlette", "uvicorn", "multipart"):
            raise
        raise _wrong(f"hvctl serve needs {error.name}", command("dashboard")) from error
    if settings.history.file is None:  # a database may be away and come back, its driver does not
        from hvctl.history.opening import need_driver

        try:
            need_driver(settings.history)
        except HistoryError as error:
            raise _wrong(error.message, error.hint) from error
    try:
        address = parse_address(listen)
    except ValueError as error:
        raise _wrong(f"--listen: {error}", "write an address and a port, such as 127.0.0.1:8480") from error
    if language is not None and language not in LANGUAGES:
        raise _wrong(f"--lang {quoted(language)}", f"one of {', '.join(LANGUAGES)}")
    guard = _guard(settings, auth, proxy or (), address[0])
    seconds = span("--stale", stale)
    assert seconds is not None
    groups = _groups(settings)
    inventory = groups.pop("all", frozenset())
    site = Site(
        settings.history,
        guard,
        timedelta(seconds=seconds),
        groups,
        settings.now,
        language,
        title,
        partial(_timers, settings),
        inventory,
        this_machine(),
    )
    try:
        socket = opened(address)
    except OSError as error:
        said = error.strerror or str(error)
        raise _wrong(f"--listen {listen}: {said}", "name a free address of this machine") from error
    with socket:
        where = "localhost" if _loopback(address[0]) else (name or [address[0]])[0]
        at = f"http://{where}:{socket.getsockname()[1]}/"
        settings.out.print(f"Serving the history {settings.history.name} at {at}", soft_wrap=True)
        settings.stop.hold()
        started()
        served(application(site, _names(address[0], name or ())), socket, lambda: settings.stop.asked)
    settings.out.print("Stopped.")
    if not settings.stop.terminated:
        raise typer.Exit(EXIT_INTERRUPTED)


def _guard(settings: Settings, auth: str | None, proxies: Sequence[str], host: str) -> Guard:
    from hvctl.dashboard.guard import Anyone, ByProxy, ByToken

    if auth is None:
        if not _loopback(host):
            raise _wrong(
                f"--listen {host}: others than this machine could look", "add --auth token or --auth header:NAME"
            )
        return Anyone()
    word, _, header = auth.partition(":")
    if word == "token" and not header:
        token = os.environ.get(TOKEN, "")
        if len(token) < _SHORTEST:
            raise _wrong(
                f"--auth token: {TOKEN} has {'no token' if not token else 'a short one'}",
                f"set it to at least {_SHORTEST} characters, such as `openssl rand -hex 32` makes",
            )
        settings.redactor.learn(Secret(token))
        return ByToken(Secret(token))
    if word == "header" and header:
        try:
            networks = [ipaddress.ip_network(one, strict=False) for one in proxies or ("127.0.0.0/8", "::1/128")]
        except ValueError as error:
            raise _wrong(f"--proxy: {error}", "write an address, or a network such as 192.0.2.0/24") from error
        return ByProxy(header, networks)
    raise _wrong(f"--auth {quoted(auth)}", "write token, or header: and the name of a header")


def _groups(settings: Settings) -> dict[str, frozenset[str]]:
    """Of the inventory, if one was named or is here; with "all"."""
    try:
        inventory = inventory_of(settings)
    except ConfigError:
        if settings.inventory:
            raise
        return {}
    return {name: frozenset(members) for name, members in sorted(inventory.groups.items()) if members}


def _timers(settings: Settings) -> list[Timer]:
    """As `hvctl schedule list` knows them."""
    from hvctl.dashboard.runs import Timer

    return [
        Timer(
            one.name,
            one.note.verb,
            one.note.playbooks,
            described(one.note.when, one.note.splay),
            "system" if one.system else "user",
            one.active,
            one.last,
            one.result,
            one.next,
        )
        for system in (False, True)
        for one in Manager(system=system).installed(settings.now())
    ]


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _names(host: str, given: Sequence[str]) -> list[str]:
    """By which browsers may ask. On all addresses any name is taken, as behind a proxy it is the proxy's matter."""
    if host in ("0.0.0.0", "::") and not given:
        return ["*"]
    local = ["localhost", "127.0.0.1", "[::1]", "::1"] if _loopback(host) else [host, f"[{host}]"]
    return [*local, *given]


def _wrong(message: str, hint: str) -> ConfigError:
    return ConfigError([Diagnostic(None, message, hint)])
