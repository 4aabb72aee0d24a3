"""The pages in a real browser: their own policy refuses nothing, filters and keys work, colours and labels can be read."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from hvctl.dashboard.app import application
from hvctl.dashboard.guard import Anyone
from hvctl.dashboard.pages import Site
from hvctl.dashboard.serving import listen, serve
from tests import requirements
from tests.dashboard.fleet import DAY, NOW, TIMERS, fleet, metered

PATHS = [
    "/", "/hosts", "/drifts", "/checks", "/checks/3", "/hosts/hv010", "/hosts/hv010/vms/web01", "/login",
    "/clusters", "/clusters/hvcl01", "/replicas", "/exports", "/schedules", "/hosts/hv001",
    "/schedules/drift/site?machine=ctl.tokyo", "/replicas/hv001/web02",
]  # fmt: skip
SIZES = [(1280, 900), (390, 800)]

CONTRAST = """() => {
  const parse = (c) => (c.match(/[\\d.]+/g) || []).map(Number);
  const linear = (v) => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
  const light = (c) => { const [r, g, b] = c.slice(0, 3).map((v) => linear(v / 255));
    return .2126 * r + .7152 * g + .0722 * b; };
  const behind = (e) => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor);
    if (c.length === 3 || c[3] > 0) return c; } return [255, 255, 255]; };
  const bad = [];
  for (const e of document.querySelectorAll("main *, header *, footer *")) {
    if (![...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim())) continue;
    if (!e.checkVisibility() || e.closest("svg, .uplot, .skip")) continue;
    const a = light(parse(getComputedStyle(e).color)), b = light(behind(e));
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < 4.5) bad.push(`${e.tagName} ${e.className} ${e.textContent.trim().slice(0, 30)}: ${ratio.toFixed(2)}`);
  }
  return bad;
}"""

UNLABELLED = """() => [...document.querySelectorAll("input, select, button, nav, [role=region], [role=img]")]
  .filter((e) => e.type !== "hidden" && !e.hidden)
  .filter((e) => !(e.labels && e.labels.length) && !e.getAttribute("aria-label"))
  .filter((e) => !(e.tagName === "BUTTON" && e.textContent.trim()))
  .map((e) => e.outerHTML.slice(0, 80))"""

ORDER = """() => [...document.querySelectorAll("h1, h2, h3")].map((e) => Number(e.tagName[1]))"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    where = fleet(tmp_path_factory.mktemp("fleet"), 300, tuple(range(10, 17)), (20, 21))
    metered(where, "hv010", "web01")
    site = Site(where, Anyone(), DAY, {"tokyo": frozenset({"hv010", "hv020"})}, lambda: NOW, timers=lambda: TIMERS)
    over = threading.Event()
    with listen(("127.0.0.1", 0)) as socket:
        thread = threading.Thread(
            target=serve, args=(application(site, ["127.0.0.1"]), socket, over.is_set), daemon=True
        )
        thread.start()
        yield f"http://127.0.0.1:{socket.getsockname()[1]}"
        over.set()
        thread.join(20)
        assert not thread.is_alive(), "a stop ends it"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    program, playwright = requirements.browser(), requirements.playwright()
    with playwright() as running:
        chromium = running.chromium.launch(
            executable_path=program,
            args=["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"],
        )
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, timezone_id="Asia/Tokyo", locale="en-GB")
    opened = context.new_page()
    complaints: list[str] = []
    opened.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    yield opened
    context.close()
    assert complaints == []


@pytest.mark.parametrize(("scheme", "language"), [("light", "en"), ("dark", "ja")])
def test_every_page_can_be_read(browser: Any, address: str, scheme: str, language: str) -> None:
    for width, height in SIZES:
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme, locale=language)
        one = context.new_page()
        complaints: list[str] = []
        one.on("console", lambda said, told=complaints: told.append(said.text))
        one.on("pageerror", lambda error, told=complaints: told.append(str(error)))
        for path in PATHS:
            one.goto(address + path)
            assert one.evaluate("document.documentElement.lang") == language
            assert one.evaluate(CONTRAST) == [], f"{path} {scheme}"
            assert one.evaluate(UNLABELLED) == [], path
            levels = one.evaluate(ORDER)
            assert levels[0] == 1 and levels.count(1) == 1, path
            assert all(b <= a + 1 for a, b in pairwise(levels)), f"{path}: {levels}"
            assert one.evaluate("document.documentElement.scrollWidth") <= width, f"{path} at {width}"
        assert complaints == []
        context.close()


def test_nothing_is_cut_off_on_paper(browser: Any, address: str) -> None:
    """As wide as A4 is with the margins that a browser gives it."""
    context = browser.new_context(viewport={"width": 718, "height": 1000}, locale="en")
    one = context.new_page()
    one.emulate_media(media="print")
    for path in PATHS:
        one.goto(address + path)
        assert one.evaluate("document.documentElement.scrollWidth") <= 718, path
    context.close()


def test_a_filter_narrows_while_it_is_typed_and_stands_in_the_address(page: Any, address: str) -> None:
    page.goto(f"{address}/hosts")
    assert page.locator("#list tbody tr").count() == 100
    page.get_by_label("Search").fill("hv01")
    page.get_by_text("10 hosts", exact=True).wait_for()
    assert page.locator("#list tbody tr").count() == 10
    page.get_by_label("State").select_option("drifted")
    page.get_by_text("7 hosts", exact=True).wait_for()
    assert "q=hv01" in page.url and "state=drifted" in page.url
    page.reload()
    assert page.locator("#list tbody tr").count() == 7
    assert page.get_by_label("State").input_value() == "drifted"


def test_from_a_counter_to_what_it_counts_to_a_machine(page: Any, address: str) -> None:
    page.goto(address)
    page.get_by_role("link", name="7 drifted").first.click()
    assert page.locator("#list tbody tr").count() == 7
    page.get_by_role("link", name="hv010").click()
    page.get_by_role("link", name="processor web01").click()
    assert page.locator("h1").inner_text() == "web01"
    page.locator(".uplot canvas").first.wait_for()
    assert page.locator(".uplot").count() == 4
    assert page.locator(".chart.none").all_inner_texts() == ["not known"], "no I/O was told"
    assert "written, MB/s" in " ".join(page.locator(".u-legend").all_inner_texts())


def test_times_are_those_of_the_reader(page: Any, address: str) -> None:
    page.goto(f"{address}/checks")
    assert page.locator("tbody time").first.inner_text() == "27 Nov 2026, 16:00"
    page.goto(f"{address}/schedules")
    timer = page.locator("tbody tr").first.locator("td")
    assert timer.nth(2).inner_text() == "27 Nov 2026, 16:00" and timer.nth(4).inner_text() == "27 Nov 2026, 17:00"


def test_a_chart_of_how_far_a_replica_is_behind(page: Any, address: str) -> None:
    page.goto(f"{address}/replicas")
    page.get_by_role("link", name="web02").click()
    page.locator(".uplot canvas").wait_for()
    page.locator(".u-over").hover(position={"x": 1, "y": 5})
    assert "Behind40 s" in "".join(page.locator(".u-legend").inner_text().split("\t"))
    page.set_viewport_size({"width": 700, "height": 900})
    page.wait_for_function("document.querySelector('.uplot').clientWidth < 700")


def test_by_keyboard_alone(page: Any, address: str) -> None:
    page.goto(address)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('main') !== null")
    page.keyboard.press("Enter")
    page.wait_for_url("**/hosts?state=in_sync")


def test_without_scripts(browser: Any, address: str) -> None:
    context = browser.new_context(java_script_enabled=False, locale="en")
    one = context.new_page()
    one.goto(f"{address}/drifts")
    one.get_by_label("Kind").select_option("processor")
    one.get_by_role("button", name="Show").click()
    assert one.get_by_role("status").inner_text() == "7 differences"
    one.goto(f"{address}/hosts/hv010/vms/web01")
    one.locator("summary").click()
    assert one.get_by_role("cell", name="500", exact=True).count() > 5
    context.close()
