"""What the documentation shows can be written, and where it points to is there, in every language."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from hvctl.config.playbook import Play, wishes
from hvctl.text.diagnostic import ConfigError
from hvctl.text.source import load_text

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
OWN = [page for page in PAGES if "reference" not in page.parts]
VARIABLES = {"site": "東京", "domain": "example.net", "inventory_hostname": "hv01"}
NEEDS_FILES = re.compile(r"is not there|there is no|does not exist|no such file", re.IGNORECASE)


def _blocks(page: Path) -> list[str]:
    return re.findall(r"^```yaml\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def _is_playbook(text: str) -> bool:
    try:
        data = yaml.safe_load(re.sub(r"!\w+", "", text))
    except yaml.YAMLError:
        return False
    return isinstance(data, list) and all(isinstance(one, dict) and "hosts" in one for one in data)


PLAYBOOKS = [(page, n, text) for page in OWN for n, text in enumerate(_blocks(page)) if _is_playbook(text)]


@pytest.mark.parametrize(
    ("page", "text"),
    [(page, text) for page, _, text in PLAYBOOKS],
    ids=[f"{page.relative_to(ROOT)}-{n}" for page, n, _ in PLAYBOOKS],
)
def test_a_playbook_that_is_shown_can_be_written(page: Path, text: str, tmp_path: Path) -> None:
    document = load_text(text, str(tmp_path / "shown.yml"))
    for number in range(len(document.data)):
        play = Play(document, (number,), "shown", "all", VARIABLES, (), frozenset())
        try:
            _, problems = wishes([play], VARIABLES, host="hv01")
        except ConfigError as error:
            problems = list(error.problems)
        wrong = [p for p in problems if p.level == "error" and not NEEDS_FILES.search(p.message)]
        assert wrong == []


def test_examples_are_found() -> None:
    assert len(PLAYBOOKS) >= 12
    assert {page.parent.name for page, _, _ in PLAYBOOKS} >= {"docs", "ja"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        if anchor and file.suffix == ".md":
            assert anchor in _anchors(file), target


def _anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    heads = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    plain = (re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", head).replace("`", "").strip().lower() for head in heads)
    return {re.sub(r"[^\w\- ]", "", head).replace(" ", "-") for head in plain}
