"""What plans of cases of all kinds tell, in Japanese: hardly a sentence is left in English or translated by half."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from hvctl.core.plan import Plan
from hvctl.core.planner import make_plan
from hvctl.core.rules import validate
from hvctl.fleet.reconcile import look
from hvctl.language.catalogue import catalogue
from mocks.host import SimulatedHost
from mocks.twin import TwinTransport
from tests.harness import Case, all_cases, wished

SOAK = bool(os.environ.get("HVCTL_SOAK"))
ENGLISH = re.compile(r"\b(?:is|the|are|not|has|which|with|cannot|does|its|of a|for a)\b")
QUOTED = re.compile(
    r"(?:への応答がありませんでした|何も分かりません|解釈できません|最後のイベント.*): .*|, of .* (?:UTC|finds)|の結果: .*"
    r"|of web02|which begins|[A-Z][\w-]+ finds .*|^(?:allow|deny|checkpoint) .*"
)
"""What a host or a library said, and what is written so in a playbook."""


def texts_of(case: Case) -> Iterator[str]:
    with TemporaryDirectory() as folder:
        for name, text in case.data.get("control", {}).items():
            Path(folder, name).parent.mkdir(parents=True, exist_ok=True)
            Path(folder, name).write_text(text, encoding="utf-8")
        found, problems = wished(case.playbook, case.data.get("allow", ()), folder)
        problems = problems or validate(found, case.os)
        yield from (f"{one.message}; {one.hint}" if one.hint else one.message for one in problems)
        if any(p.level == "error" for p in problems) or "host" not in case.data:
            return
        transport = TwinTransport(SimulatedHost.from_yaml({**(case.data["host"] or {}), "os": case.os}))
        plan = make_plan(found, look(transport, found), frozenset())
        transport.close()
    yield from told(plan)


def told(plan: Plan) -> Iterator[str]:
    for action in plan.actions:
        yield from (action.summary, *(line.note for line in action.lines))
        yield from (f"{one.message}; {one.hint}" if one.hint else one.message for one in action.remarks)
    yield from (step.text for step in plan.steps)


def test_hardly_a_sentence_of_a_plan_is_left_in_english() -> None:
    say = catalogue("ja").said
    texts = {text for case in all_cases()[:: 1 if SOAK else 40] for text in texts_of(case)}
    assert len(texts) > (1_300 if SOAK else 40)
    left = sorted(f"{text}\n    {said}" for text in texts if ENGLISH.search(QUOTED.sub("", said := say(text))))
    assert len(left) <= max(3, len(texts) // 100), "\n".join(left)
