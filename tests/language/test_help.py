"""The help of every verb and group of verbs: whole sentences, in both languages, within the width of the console."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from rich.cells import cell_len

from hvctl.cli import main
from hvctl.cli.app import app
from hvctl.cli.helping import dressed
from hvctl.cli.lazy import VERBS
from hvctl.language import speaking
from hvctl.language.helped import FOLDER, helped
from scripts.make_catalogues import catalogue_of, compiled, helps

FILES = sorted(FOLDER.glob("*/LC_MESSAGES/help.po"))
JAPANESE = re.compile(r"[぀-ヿ一-鿿]")
WIDTH = 80


def helping(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Any, str]]:
    """Every command, and what its --help prints."""
    monkeypatch.setenv("COLUMNS", str(WIDTH))

    def walked(command: Any, name: str, parent: Any = None) -> Iterator[tuple[Any, str]]:
        context = command.context_class(command, info_name=name, parent=parent)
        yield command, command.get_help(context)
        for below in command.list_commands(context) if hasattr(command, "list_commands") else ():
            yield from walked(command.get_command(context, below), below, context)

    yield from walked(dressed(typer.main.get_command(app)), "hvctl")


def spaced(text: str) -> str:
    return re.sub(r"\s+", "", text)


@pytest.mark.parametrize("language", ["en", "ja"])
def test_no_sentence_is_cut_and_no_line_is_too_wide(language: str, monkeypatch: pytest.MonkeyPatch) -> None:
    count, verbs = 0, None
    with speaking(language):
        for command, text in helping(monkeypatch):
            count += 1
            below = getattr(command, "commands", {})
            verbs = verbs if count > 1 else below
            told = [command.help, *(getattr(p, "help", "") for p in command.params if not getattr(p, "hidden", False))]
            told += [VERBS[name].help if below is verbs else below[name].help for name in below]
            for one in filter(None, told):
                assert spaced(helped(one)) in spaced(text), text
            options = text.partition("\n\n")[2]
            assert not re.search(r"\w\.\.\.$", options, re.MULTILINE), text
            assert all(cell_len(line) <= WIDTH for line in text.splitlines()), text
    assert count > 30


def test_every_text_of_help_is_translated() -> None:
    assert FILES
    for path in FILES:
        there = {str(m.id): str(m.string) for m in catalogue_of(path) if m.id}
        assert there.keys() == {str(m.id) for m in helps() if m.id}, "run python -m scripts.make_catalogues"
        assert [one for one, text in there.items() if not text or (" " in one and not JAPANESE.search(text))] == []
        assert path.with_suffix(".mo").read_bytes() == compiled(catalogue_of(path)), path


def test_no_english_is_left_around_them(monkeypatch: pytest.MonkeyPatch) -> None:
    with speaking("ja"):
        for _, text in helping(monkeypatch):
            assert not re.search(r"Usage|Options:|Commands:|Arguments:|Show this|\[default|\[env var|required", text), (
                text
            )


@pytest.mark.parametrize(
    "words", [("--help", "--lang", "ja"), ("--lang=ja", "--help"), ("plan", "--help", "--lang=ja")]
)
def test_the_language_may_be_said_on_either_side(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 0
    assert capsys.readouterr().out.startswith("使い方: hvctl")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("valdate",), "エラー: 「valdate」というコマンドはありません。'validate' のことですか？"),
        (("plan",), "エラー: 引数「PLAYBOOK...」がありません。"),
        (("plan", "x", "--limit"), "エラー: オプション「--limit」には値が必要です。"),
    ],
)
def test_a_wrong_command_line_is_told_in_japanese(
    words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(("--lang", "ja", *words)) == 1
    assert said in capsys.readouterr().err
