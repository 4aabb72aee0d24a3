"""Sentences are kept in English and put into the reader's language when they are read: that loses and mixes up nothing,
whatever fills their places and whoever wrote them."""

from __future__ import annotations

import gettext
import re
import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from string import Formatter

import pytest
from starlette.testclient import TestClient

from hvctl.call import Batch, Event, Reply, Transport, TransportError
from hvctl.cli import main
from hvctl.config.inventory import Connection
from hvctl.dashboard.app import application
from hvctl.dashboard.guard import Anyone
from hvctl.dashboard.pages import Site
from hvctl.fleet.connect import Wire
from hvctl.history import place
from hvctl.language import said, speaking
from hvctl.language.catalogue import FOLDER, catalogue, literals
from mocks.host import SimulatedHost
from mocks.twin import TwinTransport
from scripts.make_catalogues import KIND
from tests.language.test_japanese import JAPANESE

FILLED = {
    "": "受付{}", "l": "受付{}", "p": r"D:\仮想マシン\受付{}", "n": "{}7", "d": "{}3 min", "t": "blocked",
    "w": "blocked", "idle": "",
}  # fmt: skip
"""What stands in a place, by what a translation says of it; {} becomes its number."""


def filled(msgid: str, msgstr: str) -> tuple[str, str]:
    """A sentence, and what it is in the other language."""
    parts = [part.replace("{}", "") for part in literals(msgid)]
    specs = {int(field): spec or "" for _, field, spec, _ in Formatter().parse(msgstr) if field}
    values = []
    for n in range(len(parts) - 1):
        more = n > 0 and not parts[n]  # at once after another place: what is added to it, which there may be or not
        values.append("" if more else FILLED[specs.get(n, "idle")].replace("{}", str(n)))
    english = parts[0] + "".join(value + part for value, part in zip(values, parts[1:], strict=True))
    japanese = ""
    for text, field, spec, _ in Formatter().parse(msgstr):
        value = values[int(field)] if field else ""
        japanese += text + {"t": said(value), "w": said(value), "d": value.replace("min", "分")}.get(spec or "", value)
    return english, japanese


def entries() -> Iterator[tuple[str, str]]:
    read = vars(gettext.translation("hvctl", str(FOLDER), ["ja"]))["_catalog"]
    return ((k, v) for k, v in read.items() if k and v and not k.startswith(KIND))


def bare(text: str) -> str:
    """Without what joins it to what stands before."""
    return text.strip().lstrip("。").rstrip("。")


def test_every_entry_comes_back_as_it_is_written_with_what_stood_in_its_places() -> None:
    count, wrong = 0, []
    with speaking("ja"):
        say = catalogue("ja").said
        for msgid, msgstr in entries():
            english, japanese = filled(msgid, msgstr)
            count += 1
            if bare(say(english)) != bare(japanese):
                wrong.append(f"{msgid}\n  {english}\n  {say(english)}\n  {japanese}")
    assert count > 2_000
    assert not wrong, "\n".join(wrong)


# --- whoever wrote it -------------------------------------------------------------------------------------------------

INVENTORY = "all: {vars: {ansible_user: admin, ansible_password: x}, hosts: {夜間01: {}, 夜間02: {}}}"
PLAYBOOK = """
- name: 夜間
  hosts: all
  vms:
    - name: 受付
      notes: none
      automatic_stop_action: shut_down
      processor: {weight: 200}
      disks: [{at: scsi 0:0, path: 'D:\\仮想マシン\\受付.vhdx', size: 40GB}]
  switches: [{name: 業務, type: internal, notes: blocked}]
"""
VM = {"name": "受付", "generation": 2, "state": "Running", "drives": [], "adapters": []}
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Away(TwinTransport):
    def run(self, batch: Batch, on_event: Callable[[Event], None] = lambda e: None) -> list[Reply]:
        raise TransportError("connection refused by 192.0.2.1:5986 (5 tries in 8 s)")


def written(folder: Path, language: str) -> Path:
    """The history of a check of two hosts, one of which is away, and of an apply that leaves what needs consent."""
    (folder / "inventory.yml").write_text(INVENTORY, encoding="utf-8")
    (folder / "夜間.yml").write_text(PLAYBOOK, encoding="utf-8")
    hosts = {name: SimulatedHost.from_yaml({"os": "2022", "name": name, "vms": [VM]}) for name in ("夜間01", "夜間02")}

    def connect(connection: Connection, wire: Wire) -> Transport:
        return (Away if connection.name == "夜間02" else TwinTransport)(hosts[connection.name])

    for words in (["drift"], ["apply", "-y"]):
        main([*words, "夜間.yml", "--lang", language, "--history", f"{language}.db"], connect, lambda: NOW)
    return folder / f"{language}.db"


def page(history: Path, language: str, path: str) -> str:
    site = Site(place(str(history)), Anyone(), timedelta(days=1), {}, lambda: NOW, language)
    answer = TestClient(application(site, ["localhost"]), "http://localhost").get(path, headers={"accept": "text/html"})
    assert answer.status_code == 200
    return re.sub(r"\s+", " ", unescape(re.sub("<[^>]+>", " ", answer.text)))


def test_each_reader_reads_it_in_his_own_language_whatever_that_of_the_writer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    english, japanese = (written(tmp_path, language) for language in ("en", "ja"))

    def kept(file: Path) -> list[str]:
        with sqlite3.connect(file) as database:
            return [line.replace("ja.db", "en.db") for line in database.iterdump()]

    assert kept(japanese) == kept(english)
    read = {}
    for language in ("en", "ja"):
        capsys.readouterr()
        assert main(["history", "--lang", language, "--history", str(japanese)], now=lambda: NOW) == 0
        read[language] = [capsys.readouterr().out, *(page(japanese, language, f"/{p}") for p in ("drifts", "checks/2"))]
    for text in read["en"]:
        assert not JAPANESE.search(re.sub("夜間|受付|業務|仮想マシン|日本語", "", text)), text
    told, listed, plan = read["ja"]
    assert "夜間02" in told and "192.0.2.1:5986 が接続を拒否しました" in told
    for text in (told, listed, plan):
        assert "仮想マシン 受付" in text and "save → shut_down" in text
        assert not re.search(r"\b(?:is|of|the|needs|set|make|create|held)\b", text), text
    for text in (told, plan):
        assert "ディスク 受付, scsi 0:0" in text
        assert "none → 'none'" in text, "a user's notes may be worded as one of hvctl's"
    assert "仮想スイッチ 業務 を作成する" in plan and "D:\\仮想マシン\\受付.vhdx, 40 GB" in plan
