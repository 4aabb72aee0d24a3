"""The application: addresses → pages, behind the guard."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from hvctl.dashboard.guard import Guarded
from hvctl.dashboard.pages import Site


def application(site: Site, names: Sequence[str]) -> Starlette:
    """`names`: the host names that the pages may be asked for by: another one is a page elsewhere that makes a browser ask."""
    static = StaticFiles(directory=str(files("hvctl.dashboard").joinpath("static")))

    def alive(request: Request) -> Response:
        return PlainTextResponse("ok\n")

    routes = [
        Route("/", site.overview),
        Route("/hosts", site.hosts),
        Route("/hosts/{host}", site.host),
        Route("/hosts/{host}/vms/{vm:path}", site.machine),
        Route("/clusters", site.clusters),
        Route("/clusters/{cluster:path}", site.cluster),
        Route("/replicas", site.replicas),
        Route("/replicas/{host}/{vm:path}", site.replica),
        Route("/exports", site.exports),
        Route("/schedules", site.schedules),
        Route("/schedules/{verb}/{name:path}", site.schedule),
        Route("/drifts", site.drifts),
        Route("/checks", site.checks),
        Route("/checks/{number}", site.check),
        Route("/language/{language}", site.language_chosen),
        Route("/login", site.login, methods=["GET"]),
        Route("/login", site.try_login, methods=["POST"]),
        Route("/healthz", alive),
        Mount("/static", static),
    ]
    middleware = [
        Middleware(TrustedHostMiddleware, allowed_hosts=list(names), www_redirect=False),
        Middleware(Guarded, guard=site.guard),
        Middleware(GZipMiddleware),
    ]
    return Starlette(routes=routes, middleware=middleware)
