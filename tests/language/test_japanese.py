"""What a reader of Japanese sees, and what programs go on reading in English."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.cells import cell_len

from hvctl.call import Failure, TransportError
from hvctl.cli import main
from hvctl.core.apply import Report
from hvctl.core.check import Check
from hvctl.core.impact import IMPACTS
from hvctl.core.outcome import Outcome
from hvctl.language import of_environment, said, speaking
from hvctl.language.catalogue import catalogue
from hvctl.show import data, html, junit, markdown
from hvctl.show.columns import entries
from hvctl.show.summary import summary_lines
from hvctl.show.text import plan_lines
from hvctl.show.wording import shown_actions
from tests.test_show import lab, report_lines, text_of

ROOT = Path(__file__).parents[2]
MOMENT = datetime(2026, 3, 1, tzinfo=UTC)
JAPANESE = re.compile(r"[぀-ヿ一-鿿]")


@pytest.fixture
def japanese() -> Iterator[None]:
    with speaking("ja"):
        yield


def hvctl(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    env = {k: v for k, v in os.environ.items() if k not in ("HVCTL_LANG", "LANG", "LC_ALL", "LC_MESSAGES")}
    env |= {"PYTHONUTF8": "1", "PYTHONPATH": str(ROOT), **environ}
    command = [sys.executable, "-m", "hvctl", *words]
    return subprocess.run(command, env=env, capture_output=True, text=True, encoding="utf-8", check=False)


@pytest.mark.usefixtures("japanese")
@pytest.mark.parametrize("allow", [(), ("restart", "destroy")])
@pytest.mark.parametrize("width", [60, 80, 100, 140])
def test_no_line_of_a_plan_is_wider_than_the_console(width: int, allow: tuple[str, ...]) -> None:
    lines = [line.plain for line in plan_lines(lab(allow=allow).plan, width=width)]
    assert all(cell_len(line) <= width for line in lines), [line for line in lines if cell_len(line) > width]
    assert any(JAPANESE.search(line) for line in lines)


@pytest.mark.usefixtures("japanese")
@pytest.mark.parametrize("width", [80, 100, 140])
def test_columns_hold_by_cells(width: int) -> None:
    """The impacts of all fields begin in one cell, whatever stands before them."""
    plan = lab(allow=["restart"]).plan
    lines = [line.plain for line in plan_lines(plan, width=width)]
    starts = set()
    for entry in (e for action in shown_actions(plan) for e in entries(action) if e.field):
        word = entry.cost.split(",")[0]
        line = next((x for x in lines if x.startswith(f"      {entry.field} ") and f"  {word}" in x), None)
        if line is not None:
            starts.add(cell_len(line[: line.rindex(f"  {word}") + 2]))
    assert len(starts) == 1, (starts, lines)


@pytest.mark.usefixtures("japanese")
def test_a_plan_reads_like_this() -> None:
    shown = text_of(plan_lines(lab().plan, width=110))
    for line in (
        "~ 仮想マシン web01", "許可されれば再起動 1 回", "~ ディスク web01, scsi 0:0", "40 GB → 60 GB", "なし → 2,000",
        "→ パーティションの拡張はゲストで行ってください",
        "+ 仮想マシン web02   第 2 世代、プロセッサ 2 個、2 GB、ディスク 1 台",
        "→ 許可するには --allow restart を指定してください", "restart, 要許可",
    ):  # fmt: skip
        assert line in shown, shown
    # Every word that is written in a playbook stays.
    words = {word for action in lab().plan.actions for line in action.lines for word in line.impacts}
    assert all(word in shown for word in words & set(IMPACTS) if word not in ("online",)), shown


@pytest.mark.usefixtures("japanese")
def test_a_report_and_what_it_comes_to() -> None:
    made = lab(allow=["restart"])
    report = made.apply()
    shown = text_of(report_lines(report, width=100))
    assert "手順" in shown and "完了" in shown
    told = text_of(summary_lines([Outcome("hv01.tokyo", made.plan, report), Outcome("夜間ホスト", made.plan)]))
    assert told.startswith("ホスト 2 台: "), told
    assert "残り: 作成 1、" in told


def test_what_programs_read_stays_as_it_is() -> None:
    made = lab(allow=["restart"])
    report = made.apply()
    away = Outcome(
        "hv02", error=TransportError("connection refused by hv02", hint="check ansible_host and the name service")
    )
    check = Check("apply", ("lab.yml",), MOMENT, MOMENT, (Outcome("hv01", made.plan, report), away), 6)
    english = (json.dumps(data.check_data(check)), junit.rendered(check))
    with speaking("ja"):
        assert (json.dumps(data.check_data(check)), junit.rendered(check)) == english
        page, text = html.rendered(check), markdown.rendered(check)
    assert '<html lang="ja">' in page
    for told in (page, text):
        assert "hv02 が接続を拒否しました" in told
        assert "未了のもの" in told
        assert "What was done" not in told
    assert '<html lang="en">' in html.rendered(check)


@pytest.mark.usefixtures("japanese")
def test_what_a_host_says_is_quoted_and_names_are_names() -> None:
    """A message of the host, or a name, may be worded as one of hvctl's."""
    made = lab(allow=["restart"])
    message = "操作に失敗しました。仮想マシン 'web01' は実行中です。"
    first, *rest = made.apply().results
    failed = replace(first, status="failed", failure=Failure("InvalidState", message=message))
    shown = text_of(report_lines(Report(made.plan, (failed, *rest)), width=140))
    assert message in shown
    assert said("仮想マシン 夜間バッチ を作成する") == "仮想マシン 夜間バッチ を作成する"
    assert said("make VM in sync") == "仮想マシン in sync を作成する"
    assert said("rename VM none to blocked") == "仮想マシン none の名前を blocked に変更する"


@pytest.mark.parametrize(
    ("english", "japanese"),
    [
        ("2 hosts: 1 differs, 1 unreachable.", "ホスト 2 台: 差分あり 1、到達不可 1。"),
        ("for 3 d 4 h", "3 日 4 時間前から"),
        ("200 processors are more than the host's 16 logical processors; the VM would not start; use at most 16",
         "プロセッサ 200 個は、ホストの論理プロセッサ 16 個より多いため、仮想マシンを起動できません。16 以下にしてください"),
        ("# what is not here is not written\n- name: is not", "# what is not here is not written\n- name: is not"),
        ("Hyper-V on hv03 would refuse the move: A is not B.; The device is lost; see docs/migration.md",
         "hv03 の Hyper-V が移動を拒否します: A is not B.; The device is lost。docs/migration.md を参照してください"),
        ("it needs VM version 7.0; this one is 6.2; raise the VM's version first",
         "構成バージョン 7.0 が必要ですが、この仮想マシンは 6.2 です。先に仮想マシンのバージョンを更新してください"),
        ("where lab.yml is to go is not known", "where lab.yml is to go is not known"),
        ("remove VM 予約; its disks stay", "仮想マシン 予約 を削除する（ディスクは残る）"),
        ("remove VM web 01", "仮想マシン web 01 を削除する"),
        ("warning: the meters went back to an earlier state: what was used since the last reading is not known",
         "警告: メーターが以前の状態に戻っています。前回の読み取り以降の使用量は分かりません"),
        ("network adapter web01, lan", "ネットワーク アダプター web01, lan"),
        ("it is not created: its network adapter web01, lan is held back",
         "ネットワーク アダプター web01, lan が保留されているため、作成されません"),
        ("startup: '2XB' is no size", "startup: '2XB' はサイズではありません"),
        ("2 hosts have drifted; a step failed.", "ホスト 2 台にずれがあります。失敗した手順があります。"),
        ("host does not answer to what nobody has translated", "host does not answer to what nobody has translated"),
        ("vlan: 20 alone does not say the mode", "vlan: 20 だけではモードが分かりません"),
    ],
)  # fmt: skip
def test_sentences(english: str, japanese: str) -> None:
    assert catalogue("ja").said(english) == japanese


@pytest.mark.parametrize(
    ("environ", "language"),
    [
        ({}, "en"), ({"LANG": "ja_JP.UTF-8"}, "ja"), ({"LANG": "ja_JP.UTF-8", "LC_ALL": "C.UTF-8"}, "en"),
        ({"LANG": "en_US.UTF-8", "HVCTL_LANG": "ja"}, "ja"), ({"LANG": "ja_JP.UTF-8", "HVCTL_LANG": "en"}, "en"),
        ({"LANG": "de_DE.UTF-8"}, "en"), ({"LC_MESSAGES": "ja_JP", "LANG": "C"}, "ja"),
    ],
)  # fmt: skip
def test_the_language_is_that_of_the_locale_unless_it_is_said(environ: dict[str, str], language: str) -> None:
    assert of_environment(environ) == language


def test_lang_stands_before_or_after_the_verb(tmp_path: Path) -> None:
    book = tmp_path / "p.yml"
    book.write_text("- name：夜間\n  hosts: all\n", encoding="utf-8")
    words = ("-i", str(ROOT / "playbooks" / "inventory.yml"), "validate", str(book))
    english = hvctl(*words, LANG="C.UTF-8")
    assert "a full-width colon (U+FF1A) stands here" in english.stderr
    for run in (hvctl("--lang", "ja", *words), hvctl(*words, "--lang", "ja"), hvctl(*words, LANG="ja_JP.UTF-8")):
        assert run.returncode == english.returncode == 1
        assert "p.yml:1:7: ここに全角のコロン（U+FF1A）があります" in run.stderr
    assert "one of en, ja" in hvctl("--lang", "fr", *words).stderr


def test_catalogues_are_loaded_for_another_language_only() -> None:
    code = (
        "import sys; from hvctl.cli import main; main(['--version']); print('hvctl.language.catalogue' in sys.modules)"
    )
    for language, loaded in (("en", "False"), ("ja", "True")):
        env = {**os.environ, "HVCTL_LANG": language, "PYTHONPATH": str(ROOT)}
        run = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
        assert run.stdout.split()[-1] == loaded


@pytest.mark.parametrize(
    ("book", "place", "told"),
    [
        ("- name: a\n  hosts：all\n  host: {}\n", "2:8", "colon"),
        ("- name: a\n　 hosts: all\n", "2:1", "space"),
        ("- name: a\n  hosts:　all\n  host: {}\n", "2:9", "space"),
        ("－ name: a\n  hosts: all\n", "1:1", "hyphen"),
        ("- name: a\n  hosts: all\n  host: ｛enhanced_session_mode: true｝\n", "3:9", "brace"),
        ("- name: a\n  hosts: all\n  vms: [{name: a, processor: {count: ２}}]\n", "3:38", "write 2 in half-width"),
        ("- name: a\n  hosts: all\n  vms: [{name: a, memory: {startup: ２ＧＢ}}]\n", "3:37", "write 2GB in half-width"),
        ("- name: a\n  hosts: all\n  vms: [{name: a, ｓtate: off}]\n", "3:19", "write state in half-width"),
        ("- name: a\n  hosts: all\n  vms: [{name: a, state: ｏff}]\n", "3:26", "write off in half-width"),
        ("- name: a\n  hosts: all\n  vms: [{name: a, memory: {startup：2GB}}]\n", "3:28", "write startup: 2GB in half-width"),
        ("- name: a\n  hosts: all\n  vms: [{name: a, stop_timeout: ５分}]\n", "3:33", "write 5m in half-width"),
    ],
)  # fmt: skip
def test_a_full_width_character_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], book: str, place: str, told: str
) -> None:
    file = tmp_path / "p.yml"
    file.write_text(book, encoding="utf-8")
    assert main(["-i", str(ROOT / "playbooks" / "inventory.yml"), "validate", str(file)]) == 1
    said = capsys.readouterr().err
    assert f"p.yml:{place}: " in said and told in said, said


def test_full_width_names_and_texts_are_nobodys_fault(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "p.yml"
    text = "- name: 夜間：更新　（１）\n  hosts: lab\n  vms:\n    - {name: 受付０１, notes: '担当：山田　内線１２'}\n"
    file.write_text(text, encoding="utf-8")
    status = main(["-i", str(ROOT / "playbooks" / "inventory.yml"), "validate", str(file)])
    assert status == 0, capsys.readouterr().err
