"""The pages of a history that is in PostgreSQL, which knows other types and is stricter about them."""

from __future__ import annotations

from starlette.testclient import TestClient

from hvctl.dashboard.app import application
from hvctl.dashboard.guard import Anyone
from hvctl.dashboard.pages import Site
from hvctl.history import place
from tests.dashboard.fleet import DAY, NOW, filled, metered
from tests.history.postgresql import Server

PAGES = {
    "/": "counts", "/hosts?state=unseen": "found", "/hosts/new": "hosts", "/drifts?q=web": "found",
    "/checks/3?state=drifted": "found", "/clusters/hvcl01": "cluster", "/replicas/hv001/web02": "lags", "/exports": "found",
    "/schedules/drift/site?machine=ctl.tokyo": "found", "/schedules/drift/site": "schedules", "/hosts/hv003/vms/web01": "used",
}  # fmt: skip


def test_every_page_of_a_history_in_postgresql(postgresql: Server) -> None:
    where = filled(place(postgresql.new()))
    metered(where, "hv003", "web01", days=2)
    groups = {"tokyo": frozenset({"hv003", "new"})}
    site = Site(where, Anyone(), DAY, groups, lambda: NOW, inventory=frozenset({"new"}))
    client = TestClient(application(site, ["localhost"]), "http://localhost")
    told = {page: client.get(page, headers={"accept": "application/json"}).json() for page in PAGES}
    assert all(told[page][name] for page, name in PAGES.items())
    assert told["/"]["groups"]["tokyo"]["states"] == {"drifted": 1, "unseen": 1}
    assert [row["name"] for row in told["/hosts?state=unseen"]["found"]["rows"]] == ["new"]
