"""Reports: the JSON against its schema, the JUnit against its shape, the HTML as a page, the Markdown as text; and
--report as a user gives it."""

from __future__ import annotations

import base64
import hashlib
import html as markup
import json
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest

from hvctl.cli import main
from hvctl.cli.reported import Reports
from hvctl.config.inventory import Connection
from hvctl.core.check import Check
from hvctl.fleet.connect import Wire
from hvctl.show import data, html, junit, markdown
from hvctl.show.state import STATES
from hvctl.text.diagnostic import ConfigError
from hvctl.text.files import why_not, write_whole
from hvctl.text.visible import visible
from mocks.host import SimulatedHost
from mocks.twin import TwinTransport
from tests import requirements
from tests.checks import CHECKS, HOSTILE, many
from tests.test_cli import Interrupting, pressed

every = pytest.mark.parametrize("name", CHECKS)
_MADE: dict[str, Check] = {}


def made(name: str) -> Check:
    """A check is a value: it is made once."""
    if name not in _MADE:
        _MADE[name] = CHECKS[name]()
    return _MADE[name]


# --- JSON ----------------------------------------------------------------------------------------------------------


def strict(schema: Any, defs: Any) -> Any:
    """The schema, closed: every key must be described. As published it is open, so that keys can be added."""
    if isinstance(schema, list):
        return [strict(s, defs) for s in schema]
    if not isinstance(schema, dict):
        return schema
    if "allOf" in schema:
        above = [defs[s["$ref"].rpartition("/")[2]] for s in schema["allOf"]]
        joined = {k: v for s in (*above, schema) for k, v in s["properties"].items()}
        schema = {**{k: v for k, v in schema.items() if k != "allOf"}, "properties": joined}
    closed = {k: strict(v, defs) for k, v in schema.items()}
    return {**closed, "additionalProperties": False} if "properties" in schema else closed


@pytest.fixture(scope="module")
def validator() -> Any:
    schema = json.loads(data.schema_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(
        strict(schema, schema["$defs"]), format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )


@every
def test_json_is_as_its_schema_says(name: str, validator: Any) -> None:
    document = json.loads(data.rendered(made(name)))
    assert [f"{e.json_path}: {e.message}" for e in validator.iter_errors(document)] == []
    assert sum(document["summary"][s] for s in STATES) == document["summary"]["hosts"] == len(document["hosts"])


def test_the_schema_refuses_what_is_wrong(validator: Any) -> None:
    whole = data.check_data(made("a failed step"))
    for wrong in (
        {**whole, "verb": "destroy"},
        {**whole, "schema": "urn:hvctl:schema:check:2"},
        {**whole, "surprise": 1},
        {**whole, "hosts": [{**whole["hosts"][0], "state": "fine"}]},
        {k: v for k, v in whole.items() if k != "summary"},
    ):
        assert list(validator.iter_errors(wrong))


def test_all_states_and_verbs_are_shown_to_the_schema() -> None:
    documents = [data.check_data(made(name)) for name in CHECKS]
    assert {h["state"] for d in documents for h in d["hosts"]} == set(STATES)
    assert {d["verb"] for d in documents} == {"plan", "apply", "drift"}
    statuses = {s["status"] for d in documents for h in d["hosts"] if h["report"] for s in h["report"]["steps"]}
    assert statuses == {"ok", "failed", "skipped", "unknown"}
    actions = {a["action"] for d in documents for h in d["hosts"] if h["plan"] for a in h["plan"]["actions"]}
    assert actions == {"create", "update", "remove", "held", "accepted", "unknown"}


def test_json_tells_since_when_and_who_moved() -> None:
    document = data.check_data(made("remembered"))
    changes = [c for a in document["hosts"][0]["plan"]["actions"] for c in a["changes"]]
    assert {c["since"] for c in changes} == {"2026-11-21T05:30:05Z"}
    assert {c["moved"] for c in changes} == {"host", "wish", "unknown"}
    assert document["hosts"][1]["unreachable_since"] == "2026-11-24T07:55:05Z"
    assert document["news"]["went"] == [{"host": "hv01.tokyo", "address": ["vm", "web09"], "field": "notes"}]


# --- JUnit ---------------------------------------------------------------------------------------------------------

ATTRIBUTES = {
    # as in Jenkins' and Surefire's XSDs: (required, allowed)
    "testsuites": ({"name"}, {"name", "time", "tests", "failures", "errors"}),
    "testsuite": (
        {"name", "tests"},
        {"name", "tests", "failures", "errors", "skipped", "time", "timestamp", "hostname", "id", "package"},
    ),
    "properties": (set(), set()),
    "property": ({"name", "value"}, {"name", "value"}),
    "testcase": ({"name", "classname", "time"}, {"name", "classname", "time"}),
    "failure": ({"type", "message"}, {"type", "message"}),
    "error": ({"type", "message"}, {"type", "message"}),
    "skipped": (set(), {"message"}),
    "system-out": (set(), set()),
}
CHILDREN = {
    # in this order
    "testsuites": r"(testsuite )*",
    "testsuite": r"properties (testcase )*",
    "properties": r"(property )*",
    "testcase": r"((failure|error|skipped) )?(system-out )?",
}


@every
def test_junit_has_the_shape_that_viewers_read(name: str) -> None:
    root = ElementTree.fromstring(junit.rendered(made(name)))
    for element in root.iter():
        required, allowed = ATTRIBUTES[element.tag]
        assert required <= set(element.attrib) <= allowed, element.tag
        assert re.fullmatch(CHILDREN.get(element.tag, ""), "".join(f"{c.tag} " for c in element)), element.tag
    for suite in root:
        cases = suite.findall("testcase")
        found = Counter(child.tag for case in cases for child in case)
        wanted = {
            "tests": len(cases),
            "failures": found["failure"],
            "errors": found["error"],
            "skipped": found["skipped"],
        }
        assert {k: int(suite.attrib[k]) for k in wanted} == wanted
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", suite.attrib["timestamp"])
        assert len({(c.attrib["classname"], c.attrib["name"]) for c in cases}) == len(cases)
    assert int(root.attrib["tests"]) == len(root.findall("*/testcase"))


def verdicts(name: str, host: int = 0) -> dict[str, tuple[str, str]]:
    suite = ElementTree.fromstring(junit.rendered(made(name)))[host]
    found = {}
    for case in suite.findall("testcase"):
        told = next((c for c in case if c.tag != "system-out"), None)
        found[case.attrib["name"]] = (told.tag, told.attrib.get("type", "")) if told is not None else ("passed", "")
    return found


def test_junit_drift_fails_what_differs_and_passes_what_does_not() -> None:
    assert verdicts("drifted")["processor web01"] == ("failure", "drift")
    assert verdicts("drifted")["vm web02"] == ("failure", "drift")
    assert verdicts("in sync") == {"connection": ("passed", ""), "vm keep": ("passed", "")}
    text = junit.rendered(made("remembered"))
    assert "for 3 d 4 h, since 2026-11-21 05:30 UTC" in text
    assert "not reached for 1 h 35 min" in text


def test_junit_of_a_plan_fails_what_cannot_be_done_only() -> None:
    found = verdicts("differs, blocked, created, impossible")
    assert found["vm web02"] == ("passed", "")
    assert found["vm old01"] == ("skipped", "")
    assert found["vm keep"] == ("failure", "impossible")
    assert verdicts("not readable")["vm keep"] == ("error", "unreadable")
    assert verdicts("unreachable") == {"connection": ("error", "unreachable")}
    assert verdicts("refused") == {"saved plan": ("failure", "refused")}


def test_junit_of_an_apply_tells_every_resource_by_its_steps() -> None:
    found = verdicts("a failed step")
    assert found["vm web01"] == ("failure", "InvalidOperation,Microsoft.HyperV.PowerShell.Commands.StopVM")
    assert found["processor web01"] == ("skipped", "")
    assert found["vm web02"] == ("passed", "")
    assert found["vm old01"] == ("skipped", "")
    assert verdicts("lost on the way")["processor web01"] == ("error", "unknown")
    assert verdicts("interrupted", 1) == {"connection": ("skipped", "")}
    assert set(verdicts("applied").values()) == {("passed", "")}


# --- HTML ----------------------------------------------------------------------------------------------------------


class Outline(HTMLParser):
    """What a page is made of."""

    VOID = ("meta", "br", "wbr", "hr", "img", "link", "input")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.unbalanced: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.unbalanced.append(tag)

    def handle_data(self, text: str) -> None:
        if "style" not in self.open:
            self.texts.append(text)

    def attributes(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@every
def test_html_is_a_sound_page(name: str) -> None:
    text = html.rendered(made(name))
    page = Outline(text)
    assert (page.open, page.unbalanced) == ([], [])
    names = [tag for tag, _ in page.tags]
    assert {"header", "main", "footer", "h1", "style"} <= set(names)
    assert not {"script", "link", "img", "iframe", "object", "form"} & set(names)
    assert not [a for _, a in page.tags if {"src", "style", "onclick"} & set(a)]
    ids = [a["id"] for _, a in page.tags if "id" in a]
    assert len(ids) == len(set(ids))
    links = [a["href"] or "" for a in page.attributes("a")]
    assert all(link.startswith("#") and link[1:] in ids for link in links)
    assert all(a["aria-labelledby"] in ids for a in page.attributes("section"))
    assert all(a.get("scope") for a in page.attributes("th"))
    levels = [int(tag[1]) for tag in names if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))


def test_html_may_load_and_run_nothing() -> None:
    text = html.rendered(made("hostile"))
    policy = next(a["content"] for a in Outline(text).attributes("meta") if a.get("http-equiv"))
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)
    assert style
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert "://" not in re.sub(r"urn:\S+", "", style[1])
    assert "url(" not in style[1]


def test_html_shows_hostile_names_as_text() -> None:
    page = Outline(html.rendered(made("hostile")))
    assert visible(HOSTILE) in "".join(page.texts)
    assert "script" not in [tag for tag, _ in page.tags]


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("remembered", ["3 d 4 h", "since 2026-11-21 05:30 UTC", "the host was changed", "the playbook was changed",
                        "1 h 35 min", "New differences", "hv01.tokyo vm web09 notes", "Hosts back", "is WinRM running there?"]),
        ("drifted", ["1 host has drifted", "missing", "should not exist", "6 fields differ", "Calls that would put it right",
                     "Set-VMProcessor", "lab.yml:5:26", "restarts once", "Windows Server 2022 (20348)"]),
        ("differs, blocked, created, impossible", ["allow it with --allow restart,destroy", "blocked",
                                                    "write `boot_disk: converted`", "2 processors, 2 GB, 1 disk",
                                                    "extending the partition"]),
        ("a failed step", ["What was done", "11 of 16 steps done, 1 failed, 4 not done", "not done: what it needs did not",
                           "InvalidOperation,Microsoft.HyperV.PowerShell.Commands.StopVM", "What is left", "apply again"]),
        ("refused", ["Refused", "RelativeWeight 100 → 50", "Make a new plan"]),
        ("interrupted", ["It was interrupted", "not looked at", "it was stopped"]),
        ("terminated", ["It was interrupted", "still running on hv01.tokyo, batch 1b4e", "not begun", "not looked at"]),
        ("lost on the way", ["not known: the connection was lost", "run plan to see what is left"]),
        ("not approved", ["Nothing was done here"]),
        ("not readable", ["not readable", "may not manage Hyper-V on"]),
        ("in sync", ["All hosts are as written."]),
    ],
)  # fmt: skip
def test_html_and_markdown_tell_the_same(name: str, texts: list[str]) -> None:
    page = " ".join("".join(Outline(html.rendered(made(name))).texts).split())
    comment = markup.unescape(re.sub(r"\\([\\`*_\[\]#!|~$:])", r"\1", markdown.rendered(made(name))))
    for text in texts:
        assert text in page, text
        assert text in comment or "right" in text, text


def colours(scheme: str) -> dict[str, str]:
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", scheme))


def luminance(colour: str) -> float:
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_colours_have_enough_contrast_by_day_and_by_night() -> None:
    """4.5 to 1, as WCAG's level AA wants it for text."""
    style = files("hvctl.show").joinpath("templates", "check.css").read_text(encoding="utf-8")
    light, dark, *_ = re.findall(r":root \{(.*?)\}", style, re.DOTALL)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)
    for scheme in (colours(light), colours(dark)):
        for ink in ("ink", "soft", "link", "good", "warn", "bad", "odd"):
            for paper in ("paper", "sheet", f"{ink}-back"):
                if paper in scheme:
                    assert contrast(scheme[ink], scheme[paper]) >= 4.5, (ink, paper)


BAD = "<style>p { width: 900px }</style><p>wide</p><img src='http://127.0.0.1:9/x.png'>"
MEASURE = """<!DOCTYPE html><meta charset="utf-8">%s<script>
const found = {};
addEventListener("load", () => setTimeout(() => {
  for (const frame of document.querySelectorAll("iframe")) {
    const page = frame.contentDocument, root = page.documentElement;
    found[frame.id] = {wide: root.scrollWidth, room: root.clientWidth,
      styled: frame.contentWindow.getComputedStyle(page.querySelector("footer") || page.body).borderTopStyle,
      loaded: frame.contentWindow.performance.getEntriesByType("resource").length + page.images.length};
  }
  document.body.textContent = "FOUND" + JSON.stringify(found) + "END";
}, 50));
</script>"""


def test_html_in_a_real_browser(tmp_path: Path) -> None:
    """Every page in a frame as wide as a phone and as a desk: styled, no wider than its frame, asking for nothing. A bad
    page beside them shows that this would be seen."""
    browser = requirements.browser()
    pages = {name: html.rendered(made(name)) for name in ("drifted", "a failed step", "remembered", "hostile")}
    frames = [(f"{name} {width}", width, text) for name, text in {**pages, "bad": BAD}.items() for width in (360, 1280)]
    quoted = "".join(
        f'<iframe id="{name}" width="{width}" height="700" style="border:0" srcdoc="{markup.escape(text)}"></iframe>'
        for name, width, text in frames
    )
    (tmp_path / "frames.html").write_text(MEASURE % quoted, encoding="utf-8")
    flags = ("--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
             "--disable-component-update --disable-sync --hide-scrollbars --virtual-time-budget=5000 "
             "--dump-dom").split()  # fmt: skip
    command = [browser, *flags, f"--user-data-dir={tmp_path / 'profile'}", (tmp_path / "frames.html").as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    told = re.search(r"FOUND(\{.*\})END", done.stdout)
    assert told, done.stderr[-2000:]
    found = json.loads(told[1])
    for name, width, _ in frames:
        if name.startswith("bad"):
            continue
        assert found[name] == {"wide": width, "room": width, "styled": "solid", "loaded": 0}, name
    assert found["bad 360"]["wide"] > 360
    assert found["bad 360"]["loaded"] > 0
    assert found["bad 360"]["styled"] == "none"


# --- Markdown ------------------------------------------------------------------------------------------------------


def cells(line: str) -> int:
    return len(re.findall(r"(?<!\\)(?:\\\\)*\|", line))


@every
def test_markdown_tables_hold_their_columns_and_folds_close(name: str) -> None:
    text = markdown.rendered(made(name))
    width = 0
    for line in text.splitlines():
        if not line.startswith("|"):
            width = 0
            continue
        width = width or cells(line)
        assert cells(line) == width, line
    assert text.count("<details") == text.count("</details>")
    assert len(re.findall(r"^```", text, re.MULTILINE)) % 2 == 0


def test_markdown_shows_hostile_names_as_text() -> None:
    text = markdown.rendered(made("hostile"))
    outside = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    assert "<script>" not in outside
    assert "@all" not in outside
    assert "\\|\\`x\\`\\$a\\$ 仮想マシン" in outside
    assert "\u202e" not in text


def test_markdown_is_cut_where_a_comment_would_be_refused() -> None:
    text = markdown.rendered(many())
    assert len(text) <= markdown.LIMIT
    assert "**Cut here:**" in text
    assert re.search(r"\d+ more hosts not shown", text)
    assert "and 100 more hosts" in text
    assert text.count("<details") == text.count("</details>")


# --- the option ----------------------------------------------------------------------------------------------------


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatedHost]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("HVCTL_TEST_PASSWORD", "not-asked-for")
    (tmp_path / "inventory.yml").write_text(
        "all:\n  vars: {ansible_user: a, ansible_password: !env HVCTL_TEST_PASSWORD}\n  hosts:\n    hv01:\n", "utf-8"
    )
    (tmp_path / "lab.yml").write_text("- hosts: hv01\n  vms:\n    - {name: web01, notes: 社内}\n", "utf-8")
    yield SimulatedHost.from_yaml({"os": "2022", "name": "hv01", "vms": [{"name": "web01", "generation": 2}]})


def hvctl(host: SimulatedHost, *words: str) -> int:
    def connect(connection: Connection, wire: Wire) -> TwinTransport:
        return TwinTransport(host)

    return main(list(words), connect)


def test_reports_of_all_verbs_are_written(
    lab: SimulatedHost, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reports = ("--report", "html=r.html,junit=r.xml", "--report", "json=r.json", "--report", "markdown=r, 1.md")
    for words, status in ((("drift",), 2), (("plan",), 0), (("apply", "-y"), 0), (("drift",), 0)):
        for file in tmp_path.glob("r*"):
            file.unlink()
        assert hvctl(lab, *words, "lab.yml", *reports) == status
        document = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
        assert (document["verb"], document["exit_status"]) == (words[0], status)
        assert sorted(f.name for f in tmp_path.glob("r*")) == ["r, 1.md", "r.html", "r.json", "r.xml"]
    assert "Report written: r.html" in capsys.readouterr().err
    assert not list(tmp_path.glob(".*"))


def test_a_report_to_the_output_stands_alone(lab: SimulatedHost, capsys: pytest.CaptureFixture[str]) -> None:
    assert hvctl(lab, "drift", "lab.yml", "--report", "junit=-") == 2
    assert ElementTree.fromstring(capsys.readouterr().out).attrib["failures"] == "1"
    assert hvctl(lab, "plan", "lab.yml", "--json", "--report", "html=r.html") == 0
    assert json.loads(capsys.readouterr().out)["verb"] == "plan"
    assert hvctl(lab, "report-schema") == 0
    assert json.loads(capsys.readouterr().out)["$id"] == data.SCHEMA


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("pdf=x", "--report pdf=x: no such report; one of html, junit, json, markdown"),
        ("htm=x", "did you mean 'html'?"),
        ("html", "no such report"),
        ("html=", "no file; write html=FILE, or html=- for the output"),
        ("html=x,json=x", "two reports cannot go there"),
        ("html=nowhere/x", "cannot be written: there is no folder nowhere; name another file"),
        ("html=.", "it is a folder"),
    ],
)
def test_a_report_that_cannot_be_is_told_before_any_host_is_asked(
    given: str, told: str, lab: SimulatedHost, capsys: pytest.CaptureFixture[str]
) -> None:
    assert hvctl(lab, "drift", "lab.yml", "--report", given) == 1
    assert told in " ".join(capsys.readouterr().err.split())
    assert lab.log == []


def test_all_wrong_reports_are_told_together() -> None:
    with pytest.raises(ConfigError) as found:
        Reports.asked(["pdf=x", "html=nowhere/x"])
    assert len(found.value.problems) == 2


class Vanishing(TwinTransport):
    """A host while whose reading the folder of the report goes away."""

    def close(self) -> None:
        shutil.rmtree("reports")
        super().close()


def test_a_report_that_was_not_written_is_seen_in_the_exit_status(
    lab: SimulatedHost, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "reports").mkdir()
    words = ["drift", "lab.yml", "--report", "html=reports/r.html,json=r.json"]
    assert main(words, lambda connection, wire: Vanishing(lab)) == 6
    err = " ".join(capsys.readouterr().err.split())
    assert "The html report was not written: reports/r.html: No such file or directory" in err
    assert json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))["exit_status"] == 2


def test_ctrl_c_leaves_a_report_of_what_ran(lab: SimulatedHost, tmp_path: Path) -> None:
    """The step that runs is finished, the rest is not begun, and the report says which is which."""
    pressed.clear()
    (tmp_path / "lab.yml").write_text(
        "- hosts: hv01\n  vms:\n    - {name: web01, notes: x, processor: {count: 2}}\n", "utf-8"
    )
    words = ["apply", "lab.yml", "-y", "--report", "json=r.json,html=r.html"]
    assert main(words, lambda connection, wire: Interrupting(lab)) == 130
    document = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    assert document["exit_status"] == 130
    report = document["hosts"][0]["report"]
    assert [s["status"] for s in report["steps"]] == ["ok", "skipped"]
    assert report["stopped"] is True
    assert "It was interrupted." in (tmp_path / "r.html").read_text(encoding="utf-8")


# --- files -----------------------------------------------------------------------------------------------


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "r.html"
    write_whole(file, "old")
    file.chmod(0o640)
    write_whole(file, "new \ud800")
    assert (file.read_text(encoding="utf-8"), file.stat().st_mode & 0o777) == ("new ?", 0o640)
    link = tmp_path / "link"
    link.symlink_to(file)
    write_whole(link, "through")
    assert (link.is_symlink(), file.read_text(encoding="utf-8")) == (True, "through")
    with pytest.raises(OSError, match="No such file"):
        write_whole(tmp_path / "nowhere" / "x", "")
    assert sorted(f.name for f in tmp_path.iterdir()) == ["link", "r.html"]
    write_whole("/dev/null", "gone")  # nothing there is replaced
    assert why_not("/dev/null") == why_not(file) == ""
