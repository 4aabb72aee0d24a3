"""The pages: what is asked of them, what the history says to it, as HTML or, at the same address, as JSON."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass, replace
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

from jinja2 import DictLoader, Environment, StrictUndefined
from sqlalchemy import Connection, Engine
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from hvctl import __version__
from hvctl.dashboard import clusters, exports, queries, replicas, runs, schedules, standings, units
from hvctl.dashboard.guard import ByToken, Guard, let_in
from hvctl.dashboard.languages import LANGUAGES, catalogue, preferred
from hvctl.dashboard.queries import PAGE, Asked, Fleet
from hvctl.dashboard.rows import STATES, Listed
from hvctl.dashboard.runs import Timer
from hvctl.dashboard.translating import in_language
from hvctl.history.meters import Meters
from hvctl.history.opening import opened, translated
from hvctl.history.place import Place, exists
from hvctl.history.scheduled import KILLED, ScheduledRun
from hvctl.kinds import kinds
from hvctl.language import saying
from hvctl.show.plain import plain
from hvctl.show.times import stamp
from hvctl.text.duration import lasted, spoken

T = TypeVar("T")
AGES_OF_EXPORTS = (1, 2, 7, 30)
DAYS_OF_LAG = (1, 7, 30, 90)
"""Days."""
_LONGEST = 200
"""Characters of a search."""


@dataclass
class Site:
    """What is served. `stale`: after how long without a look a host is told. `groups`: of the inventory, by name. `language`:
    of all readers; None: each reader's own. `timers`: of `this_machine`. `inventory`: all hosts of it."""

    place: Place
    guard: Guard
    stale: timedelta
    groups: Mapping[str, frozenset[str]]
    now: Callable[[], datetime]
    language: str | None = None
    title: str = "hvctl"
    timers: Callable[[], Sequence[Timer]] = tuple
    inventory: frozenset[str] = frozenset()
    this_machine: str = ""

    def __post_init__(self) -> None:
        self._engine: Engine | None = None
        self._templates = {language: _environment(language, self.now) for language in LANGUAGES}

    # --- reading -----------------------------------------------------------------------------------------------------

    def read(self, ask: Callable[[Connection], T]) -> T | None:
        """None: nothing is remembered yet. Raises HistoryError."""
        if self._engine is None:
            if not exists(self.place):
                return None
            self._engine = opened(self.place)
        with translated(self.place), self._engine.connect() as connection:
            return ask(connection)

    def fleet(self, connection: Connection) -> Fleet:
        return Fleet.of(connection, self.now() - self.stale, self.inventory)

    def asked(self, request: Request) -> Asked:
        of = request.query_params
        group = of.get("group", "")
        return Asked(
            text=of.get("q", "")[:_LONGEST].strip(),
            state=of.get("state", "") if of.get("state", "") in STATES else "",
            stale=of.get("stale") == "1",
            host=of.get("host", "")[:255],
            kind=of.get("kind", "") if of.get("kind", "") in {k.kind for k in kinds()} else "",
            gone=of.get("which") == "gone",
            accepted=of.get("which") == "accepted",
            since=_moment(of.get("since", "")),
            until=_moment(of.get("until", "")),
            hosts=self.groups.get(group, frozenset()) if group else None,
            start=_number(of.get("start", "")),
        )

    # --- pages -------------------------------------------------------------------------------------------------------

    def overview(self, request: Request) -> Response:
        group = request.query_params.get("group", "")
        among = self.groups.get(group) if group else None
        now = self.now()
        day = now - timedelta(days=1)

        def ask(connection: Connection) -> dict[str, Any]:
            ours = Asked(hosts=among)
            begun = queries.drift_rows(connection, Asked(since=day, hosts=among))
            went = queries.drift_rows(connection, Asked(since=day, gone=True, hosts=among))
            fleet = self.fleet(connection)
            return {
                "counts": queries.counts(connection, fleet, among),
                "ages": queries.ages(connection, now) if among is None else [],
                "oldest": queries.drift_rows(connection, ours),
                "begun": begun,
                "went": went,
                "unreachable": [
                    one for one in queries.away_rows(connection, since=day) if among is None or one.host in among
                ],
                "groups": queries.by_group(connection, fleet, self.groups) if among is None else {},
                "applies": queries.check_rows(connection, verb="apply", left=True).total if among is None else None,
                "exports": queries.check_rows(connection, verb="export", left=True).total if among is None else None,
                "checks": queries.check_rows(connection),
                "units": units.units(connection, fleet) if among is None else units.Units(),
                "overdue": len(schedules.schedules(connection, now, overdue=True)) if among is None else 0,
            }

        return self.page(request, "overview", ask, group=group, day=day)

    def hosts(self, request: Request) -> Response:
        asked = self.asked(request)

        def ask(connection: Connection) -> dict[str, Any]:
            fleet = self.fleet(connection)
            return {
                "counts": queries.counts(connection, fleet, asked.hosts),
                "found": queries.host_rows(connection, asked, fleet),
            }

        return self.page(
            request,
            "hosts",
            ask,
            asked=asked,
            group=request.query_params.get("group", ""),
        )

    def drifts(self, request: Request) -> Response:
        asked = self.asked(request)
        return self.page(
            request,
            "drifts",
            lambda c: {"kinds": queries.kinds_open(c), "found": queries.drift_rows(c, asked)},
            asked=asked,
            group=request.query_params.get("group", ""),
        )

    def schedules(self, request: Request) -> Response:
        asked, overdue = self.asked(request), request.query_params.get("overdue") == "1"
        whole = not (asked.text or overdue or asked.start)

        def ask(connection: Connection) -> dict[str, Any]:
            known = schedules.schedules(connection, self.now())
            here = {_page_of(one.last): one for one in known if one.last.machine in (self.this_machine, None)}
            pages = {(one.last.schedule, one.last.verb): page for page, one in here.items()}
            timers = [replace(one, page=pages.get((one.name, one.verb), "")) for one in self.timers()]
            return {
                "timers": timers if whole else [],
                "found": schedules.listed(known, text=asked.text, overdue=overdue, start=asked.start),
                "runs": runs.runs(connection, self.now()) if whole else (),
            }

        return self.page(request, "schedules", ask, asked=asked, overdue=overdue, whole=whole)

    def schedule(self, request: Request) -> Response:
        """On the machine that is asked for; without one, of several that have run one of that name, none."""
        name, verb = request.path_params["name"], request.path_params["verb"]
        machine = request.query_params.get("machine", "")
        start = _number(request.query_params.get("start", ""))

        def ask(connection: Connection) -> dict[str, Any] | None:
            found = schedules.named(connection, self.now(), name, verb)
            chosen = [one for one in found if machine in ("", one.last.machine)]
            if len(chosen) != 1:
                return {"schedule": None, "schedules": found, "found": None, "timers": ()} if chosen else None
            (one,) = chosen
            here = one.last.machine in (self.this_machine, None)
            timers = [t for t in self.timers() if here and (t.name, t.verb) == (name, verb)]
            told = schedules.ran(connection, one, start)
            return {"schedule": one, "schedules": found, "found": told, "timers": timers}

        return self.page(request, "schedule", ask, schedule_name=name)

    def clusters(self, request: Request) -> Response:
        asked, troubled = self.asked(request), request.query_params.get("troubled") == "1"
        narrowed: dict[str, Any] = {"text": asked.text, "troubled": troubled, "start": asked.start}
        return self.page(
            request,
            "clusters",
            lambda c: {"found": clusters.listed(c, self.fleet(c), **narrowed)},
            asked=asked,
            troubled=troubled,
        )

    def cluster(self, request: Request) -> Response:
        name, asked = request.path_params["cluster"], self.asked(request)
        astray = request.query_params.get("astray") == "1"
        month = self.now() - timedelta(days=30)

        def ask(connection: Connection) -> dict[str, Any] | None:
            found = clusters.clusters(connection, self.fleet(connection), name=name, since=month)
            if not found:
                return None
            wanted = asked.text.casefold()
            roles = [
                role
                for role in found[0].roles
                if (wanted in role.name.casefold() or wanted in role.node.casefold())
                and not (astray and role.preferred is not False)
            ]
            return {
                "cluster": replace(found[0], roles=()),
                "found": Listed(tuple(roles[asked.start : asked.start + PAGE]), len(roles), asked.start),
            }

        return self.page(request, "cluster", ask, asked=asked, astray=astray)

    def replicas(self, request: Request) -> Response:
        asked = self.asked(request)
        troubled = request.query_params.get("troubled") == "1"
        return self.page(
            request,
            "replicas",
            lambda c: {"found": replicas.pairs(c, text=asked.text, troubled=troubled, start=asked.start)},
            asked=asked,
            troubled=troubled,
        )

    def replica(self, request: Request) -> Response:
        name, vm = request.path_params["host"], request.path_params["vm"]
        end = self.now()
        days = _number(request.query_params.get("days", ""))
        days = days if days in DAYS_OF_LAG else 7
        since = end - timedelta(days=days)

        def ask(connection: Connection) -> dict[str, Any] | None:
            found = replicas.pairs(connection, host=name, vm=vm)
            if not found.rows:
                return None
            return {
                "pairs": found,
                "lags": replicas.lags(connection, found.rows, since, end),
                "stood": replicas.replications_of(connection, found.rows, end - timedelta(days=30)),
            }

        return self.page(request, "replica", ask, vm=vm, days=days)

    def exports(self, request: Request) -> Response:
        asked = self.asked(request)
        days = _number(request.query_params.get("days", ""))
        days = days if days in AGES_OF_EXPORTS else 0
        return self.page(
            request,
            "exports",
            lambda c: {"found": exports.exports(c, self.now(), text=asked.text, days=days, start=asked.start)},
            asked=asked,
            days=days,
        )

    def checks(self, request: Request) -> Response:
        verb, left = request.query_params.get("verb", ""), request.query_params.get("left") == "1"
        start = _number(request.query_params.get("start", ""))
        return self.page(
            request,
            "checks",
            lambda c: {"found": queries.check_rows(c, verb=verb, left=left, start=start)},
            verb=verb,
            left=left,
        )

    def check(self, request: Request) -> Response:
        asked = self.asked(request)

        def ask(connection: Connection) -> dict[str, Any] | None:
            one = queries.check(connection, _number(request.path_params["number"]))
            if one is None:
                return None
            found, states = queries.look_rows(connection, one, asked)
            return {"check": one, "found": found, "states": states}

        return self.page(request, "check", ask, asked=asked, group=request.query_params.get("group", ""))

    def host(self, request: Request) -> Response:
        name = request.path_params["host"]

        def ask(connection: Connection) -> dict[str, Any] | None:
            found = queries.host(connection, name, self.fleet(connection))
            if not found:
                return None
            differing = queries.drift_rows(connection, Asked(host=name, whole=True))  # each of its VMs is counted
            month = self.now() - timedelta(days=30)
            return {
                "hosts": found,
                "open": replace(differing, rows=differing.rows[: queries.PAGE]),
                "accepted": queries.drift_rows(connection, Asked(host=name, accepted=True)),
                "went": queries.drift_rows(connection, Asked(host=name, gone=True, since=month)),
                "unreachable": queries.away_rows(connection, since=month, host=name),
                "stood": standings.standing_of(connection, name, month),
                "machines": queries.machines(connection, name, differing.rows),
                "pairs": replicas.pairs(connection, host=name),
                "exports": exports.exports(connection, self.now(), host=name),
                "checks": queries.checks_of(connection, name),
            }

        groups = sorted(group for group, members in self.groups.items() if name in members)
        return self.page(request, "host", ask, host=name, groups=groups)

    def machine(self, request: Request) -> Response:
        name, vm = request.path_params["host"], request.path_params["vm"]
        end = self.now()
        days = min(max(_number(request.query_params.get("days", "30")), 1), 400)

        def ask(connection: Connection) -> dict[str, Any] | None:
            if not queries.host(connection, name, self.fleet(connection)):
                return None

            def mine(rows: Any) -> list[Any]:
                return [one for one in rows if one.vm.casefold() == vm.casefold()]

            differing = mine(queries.drift_rows(connection, Asked(host=name, whole=True)).rows)
            accepted = mine(queries.drift_rows(connection, Asked(host=name, accepted=True, whole=True)).rows)
            went = mine(queries.drift_rows(connection, Asked(host=name, gone=True, whole=True)).rows)
            record = Meters(self.place).told(end - timedelta(days=days), end, [name], vm)
            told = {
                "open": differing,
                "accepted": accepted,
                "went": went,
                "used": queries.used(record, vm, name),
                "stood": standings.standing_of(connection, name, end - timedelta(days=30), vm),
                "pairs": replicas.pairs(connection, host=name, vm=vm),
                "exports": exports.exports(connection, end, host=name, vm=vm),
            }
            known = any(getattr(one, "rows", one) for one in told.values()) or queries.metered(connection, name, vm)
            return told if known else None

        return self.page(request, "machine", ask, host=name, vm=vm, days=days)

    def login(self, request: Request) -> Response:
        return self._html(request, "login", {"wrong": False}, 200)

    async def try_login(self, request: Request) -> Response:
        assert isinstance(self.guard, ByToken)
        form = await request.form(max_files=0, max_fields=3)
        if self.guard.right(str(form.get("token", ""))):
            return let_in(self.guard, secure=request.url.scheme == "https")
        return self._html(request, "login", {"wrong": True}, 403)

    def language_chosen(self, request: Request) -> Response:
        """Kept in a cookie; back to where the reader was."""
        wanted = request.path_params["language"]
        back = request.query_params.get("back", "/")
        safe = back if back.startswith("/") and not back.startswith(("//", "/\\")) else "/"
        response = RedirectResponse(safe, 303)
        if wanted in LANGUAGES:
            response.set_cookie("hvctl_language", wanted, max_age=400 * 86400, samesite="strict")
        return response

    # --- showing -----------------------------------------------------------------------------------------------------

    def page(
        self, request: Request, name: str, ask: Callable[[Connection], Mapping[str, Any] | None], **more: Any
    ) -> Response:
        from hvctl.history import HistoryError  # noqa: PLC0415

        try:
            found = self.read(lambda c: (ask(c),))
        except HistoryError as error:
            return self._answer(request, "trouble", {"message": error.message, "hint": error.hint}, 503)
        if found is None:
            return self._answer(request, "empty", {"place": self.place.name})
        (told,) = found
        if told is None:
            return self._answer(request, "missing", {}, 404)
        return self._answer(request, name, told, **more)

    def _answer(self, request: Request, name: str, told: Mapping[str, Any], status: int = 200, **more: Any) -> Response:
        """`more`: what programs know, since they asked for it."""
        shown = {key: _plain(value) for key, value in told.items()}
        if _wants_json(request):
            return JSONResponse(_data({"page": name, "at": self.now(), **shown}), status, headers={"vary": "accept"})
        return self._html(request, name, {**shown, **_plain(more)}, status)

    def _html(self, request: Request, name: str, told: Mapping[str, Any], status: int) -> Response:
        language = self.language or request.cookies.get("hvctl_language", "")
        if language not in LANGUAGES:
            language = preferred(request.headers.get("accept-language", ""))
        told = in_language(told, language)
        query = dict(request.query_params)
        address = request.url.path + (f"?{urlencode(query)}" if query else "")
        text = (
            self._templates[language]
            .get_template(name)
            .render(
                told,
                site=self,
                here=name,
                language=language,
                address=address,
                query=query,
                now=self.now(),
                version=__version__,
                user=request.scope.get("user_name", ""),
                may_leave=isinstance(self.guard, ByToken),
                page_rows=PAGE,
            )
        )
        return HTMLResponse(text, status, headers={"content-language": language, "vary": "accept, accept-language"})


def _environment(language: str, now: Callable[[], datetime]) -> Environment:
    folder = files("hvctl.dashboard").joinpath("templates")
    sources = {
        one.name.removesuffix(".html.j2"): one.read_text(encoding="utf-8")
        for one in folder.iterdir()
        if one.name.endswith(".html.j2")
    }
    made = Environment(
        loader=DictLoader(sources),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    made.install_gettext_translations(catalogue(language), newstyle=True)  # type: ignore[attr-defined]
    made.filters["stamp"] = stamp
    made.filters["clock"] = lambda moment: f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    made.filters["age"] = lambda moment: _span(lasted(max(now() - moment, timedelta(0))), language)
    made.filters["lasting"] = lambda seconds: _span(spoken(seconds), language)
    made.filters["rhythm"] = lambda text: _rhythm(text, language)
    made.filters["replication"] = lambda one: replicas.said(one.standing) if one.what == "replication" else None
    made.filters["segment"] = lambda text: quote(text, safe="")
    made.filters["kind"] = lambda text: saying(language)(text.replace("_", " "))
    made.filters["said"] = saying(language)
    made.globals["link"] = _link
    made.filters["page_of"] = _page_of
    made.globals["steady"] = replicas.STEADY
    made.globals["days_of_lag"] = DAYS_OF_LAG
    made.globals["killed"] = KILLED
    made.globals["ages_of_exports"] = AGES_OF_EXPORTS
    return made


_UNITS = {"d": "日", "h": "時間", "min": "分", "s": "秒"}


def _span(text: str, language: str) -> str:
    """ "3 h 20 min" in the reader's language."""
    return re.sub(r"(?<=[0-9] )(d|h|min|s)\b", lambda m: _UNITS[m[1]], text) if language == "ja" else text


def _rhythm(text: str, language: str) -> str:
    """ "every 1 h, up to 5 min later" in the reader's language."""
    if language != "ja":
        return text
    told = re.sub(r"^every (.+?)(?=,|$)", r"\1ごと", _span(text, language))
    return re.sub(r", up to (.+) later$", r"（最大 \1 遅れ）", told)


def _link(path: str, query: Mapping[str, Any] | None = None, **changed: Any) -> str:
    """An address with parameters: those of `query`, with some changed, and without what is empty."""
    both = {**(query or {}), **changed}
    kept = {
        name: stamp(value) if isinstance(value, datetime) else str(value)
        for name, value in both.items()
        if value not in ("", None, False)
    }
    return path + (f"?{urlencode(kept)}" if kept else "")


def _page_of(last: ScheduledRun) -> str:
    """The address of the page of a schedule."""
    path = f"/schedules/{quote(last.verb, safe='')}/{quote(last.schedule, safe='')}"
    return _link(path, machine=last.machine or "")


def _wants_json(request: Request) -> bool:
    if request.query_params.get("format") == "json":
        return True
    accepted = request.headers.get("accept", "")
    return "application/json" in accepted and "text/html" not in accepted


def _plain(value: Any) -> Any:
    """Texts of hosts act on nothing."""
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    return plain(value)


def _data(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return _data(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): _data(one) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_data(one) for one in value]
    return stamp(value) if isinstance(value, datetime) else value


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
