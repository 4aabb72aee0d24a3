"""docs/prometheus-rules.yml speaks of what `--metrics` writes, and of nothing else."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import yaml

from hvctl.core.check import Check
from hvctl.show.metrics import registry
from hvctl.text.duration import seconds

FILE = Path(__file__).parents[2] / "docs" / "prometheus-rules.yml"


def test_each_rule_is_about_a_metric_and_its_labels() -> None:
    now = datetime(2026, 4, 1, tzinfo=UTC)
    written = registry(Check("drift", (), now, now, (), 0), {})
    labels = {name: set(vars(c)["_labelnames"]) for name, c in written._names_to_collectors.items()}
    assert "host" in labels["hvctl_drifted_fields"]
    (group,) = yaml.safe_load(FILE.read_text(encoding="utf-8"))["groups"]
    names = [rule["alert"] for rule in group["rules"]]
    assert len({*names}) == len(names)
    for rule in group["rules"]:
        assert rule.keys() - {"for"} == {"alert", "expr", "labels", "annotations"}
        asked = re.findall(r"hvctl_\w+", rule["expr"])
        assert asked
        assert {*asked} <= labels.keys(), rule["alert"]
        if "$labels.host" in str(rule["annotations"]):
            assert all("host" in labels[name] for name in asked), rule["alert"]
        assert seconds(rule.get("for", "1m"))
