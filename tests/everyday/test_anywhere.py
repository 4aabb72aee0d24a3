"""Options of hvctl itself after the verb."""

from __future__ import annotations

import pytest
import typer

from hvctl.cli.anywhere import hoisted
from hvctl.cli.app import app
from tests.test_cli import Run, hosts, hvctl  # noqa: F401

TYPED = {
    "plan x.yml -i inv.yml": "-i inv.yml plan x.yml",
    "-i a plan -i b x.yml -vf 4": "-i a -i b -v -f 4 plan x.yml",
    "apply x.yml -yvv -k": "-v -v -k apply x.yml -y",
    "apply x.yml -yf4": "-f4 apply x.yml -y",
    "apply x.yml -tfast": "apply x.yml -tfast",  # the tag "fast"
    "plan -l -i x.yml": "plan -l -i x.yml",  # the value of --limit, whatever it is
    "plan x.yml --inventory=inv.yml --forks 3": "--inventory=inv.yml --forks 3 plan x.yml",
    "plan --vault-password-file pw x.yml --ask-pass": "--vault-password-file pw --ask-pass plan x.yml",
    "plan x.yml --grace 5s": "plan x.yml --grace 5s",  # plan has one
    "history --grace 5s": "--grace 5s history",
    "plan -- -i x.yml": "plan -- -i x.yml",
    "plan --nonsense -i": "-i plan --nonsense",
    "schedule -i inv install --every 15m x.yml -v": "-i inv -v schedule install --every 15m x.yml",
    "metering x.yml --limit -v -i inv": "-i inv metering x.yml --limit -v",
    "metering report --month 2026-03 -i inv": "-i inv metering report --month 2026-03",
    "-f 4 -vi inv inventory --list": "-f 4 -vi inv inventory --list",
    "nonsense -i x": "nonsense -i x",
    "--forks": "--forks",
    "": "",
}


@pytest.mark.parametrize("typed", TYPED)
def test_they_go_before_the_verb(typed: str) -> None:
    assert hoisted(typer.main.get_command(app), typed.split()) == TYPED[typed].split()


def test_a_plan_is_made_as_an_ansible_user_types_it(hvctl: Run) -> None:  # noqa: F811
    status, out, err = hvctl("plan", "lab.yml", "-i", "inventory.yml", "-f", "2", "-v")
    assert status == 0, err
    assert "Set-VMProcessor" in out  # the calls: -v
    status, _, err = hvctl("plan", "lab.yml", "-i", "nowhere.yml")
    assert status == 1 and "nowhere.yml" in err
    status, _, err = hvctl("plan", "lab.yml", "-f", "0")
    assert status == 1 and "'--forks'" in err
    assert "may stand here too" in hvctl("plan", "--help")[1]


def test_what_nobody_has_is_still_refused(hvctl: Run) -> None:  # noqa: F811
    status, _, err = hvctl("plan", "lab.yml", "--nonsense")
    assert status == 1 and "No such option: --nonsense" in err
