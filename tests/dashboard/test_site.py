"""The pages over HTTP, without a browser: what they tell, to whom, and what they refuse."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert
from starlette.testclient import TestClient

from hvctl.call import Secret
from hvctl.core.check import Check
from hvctl.dashboard import replicas
from hvctl.dashboard.app import application
from hvctl.dashboard.guard import Anyone, ByProxy, ByToken, Guard
from hvctl.dashboard.languages import catalogue, preferred
from hvctl.dashboard.pages import Site
from hvctl.history import Place, place
from hvctl.history.meters import Meters
from hvctl.history.opening import opened, writing
from hvctl.history.planned import Planned, PlannedField, PlannedItem, PlannedStep, told
from hvctl.history.runs import remove_schedule, write_runs
from hvctl.history.scheduled import KILLED, ScheduledRun
from hvctl.history.schema import lags
from hvctl.history.seen import Seen, Standing
from hvctl.history.store import Store
from hvctl.metering import HostReading
from scripts.make_catalogues import FOLDER, catalogue_of, compiled, extracted
from tests.dashboard.fleet import DAY, HERE, HOSTILE, NOW, PLAYBOOK, TIMERS, fleet, looked, metered

GROUPS = {"tokyo": frozenset({"hv003", "hv004"}), "osaka": frozenset({"hv005", "hv007", "hv-new"})}
INVENTORY = frozenset({"hv003", "hv004", "hv005", "hv007", "hv-new", "新しい"})
TOKEN = "a-token-that-is-long-enough"
PAGES = [
    "/", "/hosts", "/drifts", "/drifts?which=gone", "/drifts?which=accepted", "/checks", "/checks/3", "/hosts/hv003",
    "/hosts/hv003/vms/web01", "/clusters", "/clusters/hvcl01", "/replicas", "/exports", "/schedules", "/hosts/hv001",
    "/hosts/hv001/vms/web02", "/hosts/hv002", "/schedules/drift/site", "/schedules/apply/夜間-apply",
    f"/schedules/drift/site?machine={HERE}", "/replicas/hv001/web02",
]  # fmt: skip


@pytest.fixture(scope="module")
def where(tmp_path_factory: pytest.TempPathFactory) -> Place:
    found = fleet(tmp_path_factory.mktemp("fleet"))
    metered(found, "hv003", "web01")
    return found


Open = Callable[..., TestClient]


@pytest.fixture
def browse(where: Place) -> Open:
    def opened(
        guard: Guard | None = None, at: Place | None = None, client: str = "127.0.0.1", **more: Any
    ) -> TestClient:
        site = Site(
            at or where,
            guard or Anyone(),
            DAY,
            GROUPS,
            more.pop("now", lambda: NOW),
            **{"timers": lambda: TIMERS, "inventory": INVENTORY, "this_machine": HERE, **more},
        )
        return TestClient(
            application(site, ["localhost"]),
            "http://localhost",
            headers={"accept": "text/html"},
            client=(client, 5000),
            follow_redirects=False,
        )

    return opened


class Links(HTMLParser):
    """Links with a number in front: the counters."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, int]] = []
        self._href, self._text = "", ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self._href, self._text = dict(attrs).get("href") or "", ""

    def handle_data(self, data: str) -> None:
        self._text += data

    def handle_endtag(self, tag: str) -> None:
        number = re.match(r"\s*(\d+)(\s|$)", self._text)
        if tag == "a" and number and not self._href.startswith("/checks/"):
            self.found.append((self._href, int(number[1])))


def found_by(client: TestClient, href: str) -> dict[str, Any]:
    answer = client.get(href, headers={"accept": "application/json"})
    assert answer.status_code == 200
    told: dict[str, Any] = answer.json()
    return told


@pytest.mark.parametrize("page", ["/", "/?group=tokyo", "/?group=osaka"])
def test_a_counter_leads_to_exactly_its_list(browse: Open, page: str) -> None:
    client = browse()
    links = Links()
    links.feed(client.get(page).text)
    counters = [(unescape(href), n) for href, n in links.found]
    assert len(counters) >= (25 if page == "/" else 6)
    for href, n in counters:
        if href.startswith(("/hosts", "/drifts", "/checks?", "/replicas", "/exports", "/clusters", "/schedules")):
            assert found_by(client, href)["found"]["total"] == n, href


def test_what_the_fleet_is_like(browse: Open) -> None:
    told = found_by(browse(), "/")
    assert told["counts"]["states"] == {"in_sync": 8, "accepted": 1, "drifted": 2, "unreachable": 1, "unseen": 2}
    assert told["counts"]["stale"] == 3
    assert told["groups"]["osaka"]["states"] == {"drifted": 1, "unreachable": 1, "unseen": 1}
    rows = found_by(browse(), "/hosts?state=unseen")["found"]["rows"]
    assert [(row["name"], row["looked"], row["stale"]) for row in rows] == [
        ("hv-new", None, True),
        ("新しい", None, True),
    ]
    assert "no check has looked at it yet" in browse().get("/hosts/新しい").text
    assert told["counts"]["drifts"] == 4
    assert {one["host"] for one in told["unreachable"]} == {"hv007"}
    assert told["begun"]["total"] == 3, "one of them is two days old"
    assert [one["count"] for one in told["ages"]] == [3, 1, 0, 0]


def test_the_worst_and_the_oldest_come_first(browse: Open) -> None:
    rows = found_by(browse(), "/hosts")["found"]["rows"]
    assert [row["name"] for row in rows[:3]] == ["hv007", "hv003", "hv005"]
    first = found_by(browse(), "/drifts")["found"]["rows"][0]
    assert (first["host"], first["vm"], first["field"], first["moved"]) == ("hv003", "web01", "count", "host")


@pytest.mark.parametrize(
    ("query", "total"),
    [
        ("q=仮想マシン", 2), ("q=HV003", 2), ("q=%25", 0), ("q=w_b", 0), ("q=k_a", 2),
        ("kind=processor", 2), ("kind=nothing", 4), ("which=accepted", 1), ("which=gone", 0),
        ("host=hv005", 2), ("group=osaka", 2), ("group=nowhere", 0), ("since=2026-11-26T08:00:00%2B00:00", 3), ("since=x", 4),
        ("start=99999999999", 4),
    ],
)  # fmt: skip
def test_filters_of_differences(browse: Open, query: str, total: int) -> None:
    assert found_by(browse(), f"/drifts?{query}")["found"]["total"] == total


def test_a_machine_with_what_it_used(browse: Open) -> None:
    told = found_by(browse(), "/hosts/hv003/vms/web01?days=30")
    used = told["used"]
    assert len(used) >= 9
    assert used[-1]["processor_mhz"] == pytest.approx(500)
    assert used[-1]["read_mb"] == pytest.approx(1, rel=0.01)
    assert [one["field"] for one in told["open"]] == ["count"]
    assert found_by(browse(now=lambda: NOW + 60 * DAY), "/hosts/hv003/vms/WEB01?days=7")["used"] == [], (
        "and it is there"
    )
    text = browse().get("/hosts/hv003/vms/web01").text
    assert "data-source" in text and "As a table" in text


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("language", ["en", "ja"])
def test_every_page_is_whole_and_keeps_to_itself(browse: Open, page: str, language: str) -> None:
    answer = browse(language=language).get(page)
    assert answer.status_code == 200
    assert answer.headers["content-language"] == language
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert answer.headers["cache-control"] == "no-store"
    assert not re.search(r"<script(?![^>]*\ssrc=\"/static/)", answer.text), "no script in the page"
    assert not re.search(r"\son\w+=|style=|javascript:", answer.text)
    assert not re.search(r"(src|href)=\"(https?:)?//", answer.text), "nothing from elsewhere"
    assert "<script>alert" not in answer.text
    assert "\u202e" not in answer.text


def test_a_hostile_value_is_told_as_text(browse: Open) -> None:
    answer = browse().get("/drifts")
    assert "&lt;script&gt;alert(1)" in answer.text
    shown = found_by(browse(), "/drifts?q=script")["found"]["rows"][0]["now"]
    assert "\u202e" not in shown and shown != HOSTILE and "<script>" in shown


@pytest.mark.parametrize(
    "path",
    [
        "/hosts/nope",
        "/schedules/drift/nope",
        "/checks/99",
        "/checks/x",
        "/hosts/hv003/vms/nope",
        "/hosts/nope/vms/web01",
    ],
)
def test_what_is_not_on_record(browse: Open, path: str) -> None:
    answer = browse().get(path)
    assert answer.status_code == 404
    assert "Not on record" in answer.text
    answer = browse().get(path, headers={"accept": "application/json"})
    assert (answer.status_code, answer.json()["page"]) == (404, "missing")


def test_a_history_without_a_check(browse: Open, tmp_path: Path) -> None:
    answer = browse(at=place(str(tmp_path / "none.db"))).get("/")
    assert answer.status_code == 200
    assert "hvctl drift stores one" in answer.text
    assert not (tmp_path / "none.db").exists()


def test_a_history_that_cannot_be_read(browse: Open, tmp_path: Path) -> None:
    (tmp_path / "bad.db").write_text("not a database at all, but a text that is long enough" * 50)
    answer = browse(at=place(str(tmp_path / "bad.db"))).get("/")
    assert answer.status_code == 503
    assert "cannot be used" in answer.text
    answer = browse(at=place(str(tmp_path / "bad.db"))).get("/hosts?format=json")
    assert (answer.status_code, answer.json()["page"]) == (503, "trouble")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_only_reading(browse: Open, method: str) -> None:
    assert browse().request(method, "/").status_code == 405


def test_a_name_that_is_not_ours_is_refused(browse: Open) -> None:
    """A page elsewhere whose name was made to point here."""
    assert browse().get("/", headers={"host": "evil.example"}).status_code == 400


# --- who may look -----------------------------------------------------------------------------------------------------


def test_with_a_token(browse: Open) -> None:
    client = browse(ByToken(Secret(TOKEN)))
    refused = client.get("/")
    assert (refused.status_code, refused.headers["location"]) == (303, "/login")
    assert client.get("/", headers={"accept": "application/json"}).status_code == 401
    assert (
        client.get("/hosts", headers={"accept": "application/json", "authorization": "Bearer wrong"}).status_code == 401
    )
    right = {"accept": "application/json", "authorization": f"Bearer {TOKEN}"}
    assert client.get("/hosts", headers=right).status_code == 200
    wrong = client.post("/login", data={"token": "x"})
    assert wrong.status_code == 403 and "not the token" in wrong.text
    entered = client.post("/login", data={"token": TOKEN})
    cookie = entered.headers["set-cookie"].lower()
    assert entered.status_code == 303
    assert "httponly" in cookie and "samesite=strict" in cookie
    assert TOKEN not in cookie
    assert client.get("/").status_code == 200
    assert client.get("/static/style.css").status_code == 200
    assert TOKEN not in client.get("/").text


def test_behind_a_proxy(browse: Open) -> None:
    guard = ByProxy("X-Forwarded-User", [ipaddress.ip_network("192.0.2.0/24")])
    named = {b"X-Forwarded-User": "田中".encode(), b"accept": b"text/html"}
    answer = browse(guard, client="192.0.2.9").get("/", headers=named)
    assert answer.status_code == 200
    assert "田中" in answer.text
    assert browse(guard, client="192.0.2.9").get("/").status_code == 401
    assert browse(guard, client="198.51.100.1").get("/", headers=named).status_code == 401


# --- languages --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("ja", "ja"),
        ("en-GB,ja;q=0.5", "en"),
        ("fr, ja-JP;q=0.8, en;q=0.3", "ja"),
        ("", "en"),
        ("x;q=y,ja", "ja"),
        ("*", "en"),
    ],
)
def test_the_language_that_a_browser_prefers(header: str, language: str) -> None:
    assert preferred(header) == language


def test_a_language_that_was_chosen_is_kept(browse: Open) -> None:
    client = browse()
    chosen = client.get("/language/ja?back=/hosts%3Fstate%3Dunreachable")
    assert chosen.headers["location"] == "/hosts?state=unreachable"
    assert "ホスト" in client.get("/hosts").text
    assert client.get("/language/ja?back=//evil.example/").headers["location"] == "/"


def test_where_roles_were_and_how_replications_went(tmp_path: Path, browse: Open) -> None:
    found = fleet(tmp_path)
    more = (
        Standing("role", "hvcl01", "web01", "on HV003"),
        Standing("replication", "", "web02", f"replicating to {HOSTILE}, normal", 90),
        Standing("move", "", "app01", "move app01 to hv004"),
    )
    addresses = {"hv003": "hv003.example.com"}
    Store(found).write(
        Check("drift", ("/fleet/site.yml",), NOW, NOW, (), 0, addresses=addresses), [Seen("hv003", standings=more)], NOW
    )
    client = browse(at=found)
    page = client.get("/hosts/hv003").text
    text = unescape(re.sub("<[^>]+>", " ", page))
    assert all(word in text for word in ("on HV003", "1 min 30 s", "move app01 to hv004", "replicating"))
    assert HOSTILE not in page
    assert "Roles, replications and moves" not in client.get("/hosts/hv004").text


def test_a_cluster_with_its_nodes_and_roles(browse: Open) -> None:
    (one,) = found_by(browse(), "/clusters?troubled=1&q=APP01")["found"]["rows"]
    assert (one["name"], len(one["nodes"]), len(one["roles"])) == ("hvcl01", 3, 2)
    page = found_by(browse(), "/clusters/hvcl01")
    told = page["cluster"]
    nodes = {n["name"]: (n["word"], n["since"][:10], n["host"], n["reached"], n["roles"]) for n in told["nodes"]}
    assert nodes == {
        "HV001": ("up", "2026-11-25", "hv001", "in_sync", 1),
        "HV002": ("paused", "2026-11-27", "hv002", "accepted", 1),
        "HV099": ("down", "2026-11-25", "", None, 0),
    }
    assert [(r["name"], r["node"], r["host"], r["state"], r["preferred"]) for r in page["found"]["rows"]] == [
        ("app01", "HV001", "hv001", "online", False),
        ("仮想マシン", "HV002", "hv002", "failed", None),
    ]
    client = browse()
    assert one["astray"] == 1 and found_by(client, "/clusters/hvcl01?astray=1")["found"]["total"] == 1
    assert "/clusters/hvcl01?astray=1" in client.get("/clusters").text
    assert ">no<" in client.get("/clusters/hvcl01").text
    assert found_by(browse(), "/clusters/hvcl01?q=HV002")["found"]["total"] == 1
    (went,) = told["went"]
    assert (went["name"], went["standing"], went["ending"], went["moved_to"]) == ("app01", "on HV002", "moved", "hv001")


def test_replica_pairs_of_both_sides_and_exports_with_their_age(browse: Open) -> None:
    first, second = found_by(browse(), "/replicas")["found"]["rows"]
    sides = ("vm", "primary_host", "replica_host", "state", "health", "lag_s", "other")
    assert [first[of] for of in sides] == ["web02", "hv001", "hv004", "replicating", "warning", 5400, ""]
    assert [second[of] for of in sides] == ["db01", "hv001", "", "replicating", "normal", 30, ""]
    assert second["replica"] == "elsewhere"
    assert found_by(browse(), "/replicas?troubled=1")["found"]["total"] == 1
    assert found_by(browse(), "/replicas?q=ELSE")["found"]["total"] == 1
    none, newest = found_by(browse(), "/exports")["found"]["rows"]
    assert (none["vm"], none["folder"], none["newest"]) == ("仮想マシン", r"E:\エクスポート", None)
    assert (newest["newest"], newest["most_age_s"]) == ("2026-11-27T00:00:00Z", 26 * 3600)
    assert found_by(browse(), "/exports?days=1")["found"]["total"] == 1
    machine = found_by(browse(), "/hosts/hv001/vms/WEB02")
    assert (len(machine["pairs"]["rows"]), len(machine["exports"]["rows"]), len(machine["stood"])) == (1, 1, 1)


def test_a_replica_with_how_far_it_was_behind(browse: Open) -> None:
    told = found_by(browse(), "/replicas/hv001/WEB02")
    assert [(p["vm"], p["replica_host"]) for p in told["pairs"]["rows"]] == [("web02", "hv004")]
    measured = [(one["at"], one["host"], one["lag_s"]) for one in told["lags"]]
    assert measured == [("2026-11-25T08:00:00Z", "hv001", 40), ("2026-11-27T07:00:00Z", "hv001", 5400)]
    assert len(found_by(browse(), "/replicas/hv001/web02?days=1")["lags"]) == 1
    assert found_by(browse(), "/replicas/hv004/web02")["lags"] == told["lags"], "of the other side it is the same"
    assert [one["standing"] for one in told["stood"]] == ["resynchronizing to hv004, critical"]
    text = browse().get("/replicas").text
    assert 'href="/replicas/hv001/web02"' in text and 'href="/replicas/hv001/db01"' in text
    assert browse().get("/replicas/hv002/web02").status_code == 404


def test_of_a_vm_that_moves_within_a_cluster_all_nodes_have_measured(tmp_path: Path, browse: Open) -> None:
    where = fleet(tmp_path)
    addresses = {"hv002": "hv002.example.com"}
    sent = Seen("hv002", standings=(Standing("replication", "", "WEB02", "replicating to hv004, normal", 7),))
    alike = Seen("hv003", standings=(Standing("replication", "", "web02", "replicating to another, normal", 8),))
    Store(where).write(Check("drift", (PLAYBOOK,), NOW, NOW, (), 0, addresses=addresses), [sent, alike], NOW)
    told = found_by(browse(at=where), "/replicas/hv002/web02")["lags"]
    assert [(one["host"], one["lag_s"]) for one in told] == [("hv001", 40), ("hv001", 5400), ("hv002", 7)]


def test_of_very_many_measurements_the_most_of_each_span_is_told(tmp_path: Path) -> None:
    where = fleet(tmp_path)
    with writing(opened(where)) as connection:
        rows = [
            {"host_id": 2, "name": "web02", "at": NOW - timedelta(minutes=15 * n), "lag_s": 9_000 if n == 99 else n % 7}
            for n in range(1, 2_000)
        ]
        connection.execute(insert(lags), rows)
        (pair,) = replicas.pairs(connection, host="hv001", vm="web02").rows
        told = replicas.lags(connection, [pair], NOW - timedelta(days=30), NOW)
    assert len(told) <= 750 and max(one.lag_s for one in told) == 9_000
    assert [one.at for one in told] == sorted(one.at for one in told)


def test_the_plan_of_each_host_of_a_check(tmp_path: Path, browse: Open) -> None:
    where = fleet(tmp_path)
    field = PlannedField("count", HOSTILE, "4", "", "consent", ("restart",))
    item = PlannedItem("processor web01", "update", place=f"{PLAYBOOK}:7:5", fields=(field,), remarks=("web01 runs",))
    plan = told(Planned((item,), (PlannedStep("set the processor of web01", "failed", "the host was busy"),), 2))
    check = Check("apply", (PLAYBOOK,), NOW, NOW, (), 2, addresses={"hv003": "hv003.example.com"})
    Store(where).write(check, [Seen("hv003", plan=plan)], NOW)
    client = browse(at=where)
    (look,) = found_by(client, "/checks/4")["found"]["rows"]
    (kept,) = look["plan"]["items"]
    assert (kept["name"], kept["fields"][0]["wanted"], kept["fields"][0]["status"]) == (
        "processor web01",
        "4",
        "consent",
    )
    text = client.get("/checks/4").text
    assert all(word in text for word in ("needs consent: restart", "the host was busy", "and 2 more"))
    assert "<script>alert" not in text


def test_a_schedule_with_its_runs(browse: Open) -> None:
    rows = found_by(browse(), "/schedules")["found"]["rows"]
    assert [(r["last"]["schedule"], r["last"]["machine"], r["last"]["exit_status"], r["overdue"]) for r in rows] == [
        ("夜間-apply", None, KILLED, True),
        ("site", HERE, 4, False),
        ("site", "ctl.大阪", 0, False),
    ]
    assert found_by(browse(), "/schedules?q=CTL.大")["found"]["total"] == 1
    text = browse().get("/schedules").text
    assert found_by(browse(), "/")["overdue"] == 1
    assert "overdue" in text and text.count(f'href="/schedules/drift/site?machine={HERE}"') == 2, "of the timer, too"
    told = found_by(browse(), f"/schedules/drift/site?machine={HERE}")
    runs = [(one["run"]["exit_status"], one["late_s"], one["check"]) for one in told["found"]["rows"]]
    assert runs == [(4, None, 3), (75, None, None), (2, 8 * 86400 - 3600, 2), (0, None, 1), (1, None, None)]
    assert [one["next"] for one in told["timers"]] == ["2026-11-27T08:00:00Z"]
    assert found_by(browse(), "/schedules/apply/夜間-apply?start=1")["found"]["rows"] == []
    assert browse().get("/schedules/apply/site").status_code == 404


def test_schedules_of_one_name_on_two_machines_are_two(browse: Open) -> None:
    told = found_by(browse(), "/schedules/drift/site?machine=ctl.大阪")
    assert (told["schedule"]["last"]["rhythm"], told["schedule"]["last"]["playbooks"]) == ("every 4 h", ["/osaka.yml"])
    ran = [(one["run"]["machine"], one["late_s"], one["check"]) for one in told["found"]["rows"]]
    assert ran == [("ctl.大阪", None, None), ("ctl.大阪", None, None), (None, None, None)]
    assert told["timers"] == [], "those of this machine are of another one"
    both = found_by(browse(), "/schedules/drift/site")
    assert (both["schedule"], len(both["schedules"])) == (None, 2), "an address without a machine is of both"
    assert "2 machines have run a schedule of this name" in browse().get("/schedules/drift/site").text
    assert found_by(browse(), "/schedules/apply/夜間-apply")["schedule"]["overdue"], "of one alone it is its page"
    assert browse().get("/schedules/drift/site?machine=ctl3").status_code == 404


def test_a_schedule_that_was_removed_is_not_waited_for(tmp_path: Path, browse: Open) -> None:
    where = fleet(tmp_path)
    later = NOW + 9 * DAY
    one = ScheduledRun("site", "drift", "every 1 h", (PLAYBOOK,), NOW, NOW, 0, NOW, HERE)
    client = browse(at=where, now=lambda: later)

    def overdue() -> list[tuple[str, str]]:
        rows = found_by(client, "/schedules?overdue=1")["found"]["rows"]
        return [(row["last"]["schedule"], row["last"]["machine"]) for row in rows]

    assert ("site", HERE) in overdue() and ("site", "ctl.大阪") in overdue()
    assert [remove_schedule(where, "site", name, later) for name in (HERE, HERE, "ctl9")] == [1, 1, 0]
    assert ("site", HERE) not in overdue() and ("site", "ctl.大阪") in overdue()
    assert "removed" in client.get("/schedules").text
    write_runs(where, [one])
    assert ("site", HERE) in overdue(), "installed again"


def test_schedules_and_what_ran_wherever_it_was_started(tmp_path: Path, browse: Open) -> None:
    where = fleet(tmp_path)
    metered(where, "hv003", "web01", days=3)
    for n in range(4):
        at = NOW - timedelta(days=3 + n)
        Store(where).write(Check("apply", ("/x.yml",), at, at, (), 2, kept_as="export"), [Seen("hv003")], at)
    told = found_by(browse(at=where), "/schedules")
    assert [(one["name"], one["next"]) for one in told["timers"]] == [
        ("site", "2026-11-27T08:00:00Z"),
        ("夜間-apply", None),
    ]
    ran = {one["verb"]: one for one in told["runs"]}
    assert (ran["drift"]["number"], ran["drift"]["hosts"], ran["drift"]["missed"]) == (3, 11, 1)
    assert (ran["export"]["usual_s"], ran["export"]["late"], ran["export"]["exit_status"]) == (86400, True, 2)
    Meters(where).write([HostReading("hv004", NOW)], {}, NOW, machine=HERE)
    read = [
        (one["machine"], one["lately"]) for one in found_by(browse(at=where), "/schedules")["runs"] if not one["number"]
    ]
    assert read == [(HERE, 1)]
    assert (ran["metering"]["usual_s"], ran["metering"]["late"], ran["metering"]["hosts"]) == (86400, False, 1)
    for n, machine in enumerate((HERE, HERE, "ctl.大阪")):
        at = NOW - timedelta(hours=n)
        Store(where).write(Check("drift", (PLAYBOOK,), at, at, (), 0, machine=machine), [Seen("hv003")], at)
    per = [
        (one["machine"], one["lately"])
        for one in found_by(browse(at=where), "/schedules")["runs"]
        if one["verb"] == "drift"
    ]
    assert per == [(HERE, 2), ("ctl.大阪", 1)], "those before have no machine, and others have done the same since"
    assert "later than usual" in browse(at=where).get("/schedules").text
    assert found_by(browse(at=where), "/checks?verb=export")["found"]["total"] == 4


def test_every_word_is_translated_and_compiled() -> None:
    file = next(FOLDER.glob("locale/ja/LC_MESSAGES/dashboard.po"))
    known = catalogue_of(file)
    ids = {m.id for m in extracted() if m.id}
    assert {m.id for m in known if m.id} == ids, "run python -m scripts.make_catalogues"
    for message in known:
        if message.id:
            texts = [message.string] if isinstance(message.string, str) else list(message.string or ())
            first = message.id if isinstance(message.id, str) else message.id[0]
            assert all(texts), message.id
            assert all(set(re.findall(r"%\(\w+\)s", text)) == set(re.findall(r"%\(\w+\)s", first)) for text in texts)
    assert file.with_suffix(".mo").read_bytes() == compiled(known)
    assert catalogue("ja").gettext("Overview") == "概要"


def test_what_hvctl_says_of_hosts_and_names_of_kinds_are_in_japanese_too(browse: Open) -> None:
    text = browse(language="ja").get("/drifts").text
    assert "プロセッサ web01" in text and "processor web01" not in text
    assert found_by(browse(language="ja"), "/drifts")["found"]["rows"][0]["name"] == "processor web01", (
        "not to programs"
    )


def test_pages_of_a_long_list(tmp_path: Path, browse: Open) -> None:
    client = browse(at=fleet(tmp_path, 300, tuple(range(10, 17)), (20, 21)), inventory=frozenset())
    told = found_by(client, "/hosts")
    assert told["found"]["total"] == 300
    assert len(told["found"]["rows"]) == 100
    names = [
        row["name"] for start in (0, 100, 200) for row in found_by(client, f"/hosts?start={start}")["found"]["rows"]
    ]
    assert len(set(names)) == 300
    assert 'rel="next"' in client.get("/hosts").text
    assert 'rel="prev"' in client.get("/hosts?start=200").text


def test_very_many_clusters_have_pages_and_those_that_need_somebody_come_first(tmp_path: Path, browse: Open) -> None:
    where = fleet(tmp_path)
    units = (Standing("cluster", f"cl{n:03}", f"cl{n:03}", f"N{n} {'down' if n > 200 else 'up'}") for n in range(205))
    Store(where).write(Check("drift", (PLAYBOOK,), NOW, NOW, (), 0), [Seen("hv001", standings=tuple(units))], NOW)
    client = browse(at=where)
    pages = [found_by(client, f"/clusters?start={start}")["found"] for start in (0, 100, 200)]
    names = [row["name"] for page in pages for row in page["rows"]]
    assert [len(page["rows"]) for page in pages] == [100, 100, 6] and len(set(names)) == 206
    assert names[:5] == ["cl201", "cl202", "cl203", "cl204", "hvcl01"]
    counted = found_by(client, "/")["units"]
    assert (counted["clusters"], counted["troubled_clusters"]) == (206, 5)
    assert found_by(client, "/clusters?troubled=1")["found"]["total"] == 5
    page = client.get("/clusters?q=cl&start=100").text
    assert "q=cl&amp;start=200" in page and 'rel="prev"' in page


def test_a_check_of_very_many_hosts_has_pages_and_filters(tmp_path: Path, browse: Open) -> None:
    client = browse(at=fleet(tmp_path, 300, tuple(range(10, 17)), (20, 21)))
    told = found_by(client, "/checks/3")
    assert (told["found"]["total"], len(told["found"]["rows"])) == (299, 100)
    assert told["states"] == {"unreachable": 2, "drifted": 7, "accepted": 1, "in_sync": 289}
    for state, number in told["states"].items():
        assert found_by(client, f"/checks/3?state={state}")["found"]["total"] == number
    assert found_by(client, "/checks/3?q=hv29&state=in_sync")["found"]["total"] == 9
    assert found_by(client, "/checks/3?group=osaka")["found"]["total"] == 2
    page = client.get("/checks/3?state=in_sync&start=100").text
    assert "state=in_sync&amp;start=200" in page and 'rel="prev"' in page


def test_how_long_without_a_look_is_too_long(where: Place) -> None:
    site = Site(where, Anyone(), timedelta(minutes=30), {}, lambda: NOW)
    client = TestClient(application(site, ["localhost"]), "http://localhost")
    assert found_by(client, "/")["counts"]["stale"] == 12


def test_every_vm_of_a_host_has_its_page_however_many_differ(tmp_path: Path, browse: Open) -> None:
    where = place(str(tmp_path / "many.db"))
    spots = [(("processor", f"vm{n}"), "count") for n in range(130)]
    check = Check("drift", (PLAYBOOK,), NOW, NOW, (), 2, addresses={"hv1": "hv1.example.com"})
    Store(where).write(check, [looked("hv1", spots, range(130))], NOW)
    client = browse(at=where)
    told = found_by(client, "/hosts/hv1")
    assert (told["open"]["total"], len(told["open"]["rows"]), len(told["machines"])) == (130, 100, 130)
    assert [row["vm"] for row in found_by(client, "/hosts/hv1/vms/vm129")["open"]] == ["vm129"]
