"""The help of every verb and group of verbs: whole sentences, in both languages, within the width of the console."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from rich.cells import cell_len

from hvctl.cli import main
from hvctl.cli.app import USAGE, app
from hvctl.cli.halfwidth import typed_wide
from hvctl.cli.helping import dressed
from hvctl.cli.lazy import VERBS
from hvctl.cli.misuse import misuse
from hvctl.config.inventory import Inventory
from hvctl.language import speaking
from hvctl.language.helped import FOLDER, helped
from hvctl.text.diagnostic import ConfigError
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
        (("plan", "x", "--json=1"), "エラー: オプション「--json」は値をとりません。"),
        (("plan", "x", "--limt", "y"), "エラー: オプション --limt はありません（候補: --limit"),
        (
            ("plan", "x", "--forks", "0"),
            "エラー: 「--forks / -f」の値が正しくありません: 1 ～ 256 の整数を指定してください",
        ),
        (("plan", "x", "--executor", "y"), "の値が正しくありません: threads, dask のいずれかを指定してください"),
        (
            ("apply", "x", "--at-most", "５件"),
            "--at-most ５件: 全角の数字「５」（U+FF15）が含まれています。半角で 5件 と入力してください",
        ),
        (("plan　x",), "全角の空白「　」（U+3000）が含まれています。半角で plan x と入力してください"),
        (
            ("drift", "x", "--every", "１５分"),
            "全角の数字「１」（U+FF11）が含まれています。半角で 15m と入力してください",
        ),
        (("inventory", "x"), "エラー: 余分な引数があります（x）"),
    ],
)
def test_a_wrong_command_line_is_told_in_japanese(
    words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(("--lang", "ja", *words)) == 1
    assert said in capsys.readouterr().err


class Worded(USAGE):  # type: ignore[misc]
    """As another release of typer would say it."""

    def format_message(self) -> str:
        return f"oops, {self.message}"


@pytest.mark.parametrize(
    ("kind", "given", "said"),
    [
        ("NoSuchOption", {"option_name": "--x", "possibilities": ["--y"]}, "オプション --x はありません（候補: --y）"),
        ("BadOptionUsage", {"option_name": "--tags"}, "オプション「--tags」には値が必要です。"),
        ("BadOptionUsage", {"option_name": "--json"}, "オプション「--json」は値をとりません。"),
        ("MissingParameter", {"param": "playbooks"}, "引数「PLAYBOOK...|PLANFILE」がありません。"),
        (
            "BadParameter",
            {"param": "max_failures"},
            "「--max-failures」の値が正しくありません: 0 以上の整数を指定してください",
        ),
        ("UsageError", {}, "余分な引数があります（left over）"),
    ],
)
def test_the_wording_of_typer_does_not_matter(kind: str, given: dict[str, Any], said: str) -> None:
    root = dressed(typer.main.get_command(app))
    apply = root.get_command(typer.Context(root), "apply")
    error = type(kind, (Worded,), {})("here are left and over")
    error.ctx = apply.context_class(apply, info_name="hvctl apply")
    for name, value in given.items():
        setattr(error, name, next(p for p in apply.params if p.name == value) if name == "param" else value)
    with speaking("ja"):
        assert f"エラー: {said}" in list(misuse(error, ["apply", "left", "over"]))


def test_what_to_type_instead_of_full_width_characters() -> None:
    def told(words: list[str], wrong: str) -> list[str]:
        return [one.message for one in typed_wide(words, wrong)]

    assert told(["plan", "夜間０１.yml"], "lab.yml:1:1: something else") == []
    assert told(["plan", "p", "--tags=ａ"], "--tags: unknown") == [
        "--tags ａ: the character ａ (U+FF41) in it is full-width: type a"
    ]
    assert told(["plan", "ーーlimit"], "ーーlimit does not exist")[0].endswith("full-width: type --limit")
    assert told(["plan", "サーバー、a"], "サーバー、a does not exist")[0].endswith(
        "comma 、 (U+3001) in it is full-width: type サーバー,a"
    )


@pytest.mark.parametrize(
    ("limit", "type_this"),
    [("夜間０１，hv02", "夜間０１,hv02"), ("東京：＆ｈｖ02", "東京:&hv02"), ("ｈｖ０２", "hv02"), ("！東京", "!東京")],
)
def test_a_pattern_of_full_width_signs_keeps_names_that_are_so(tmp_path: Path, limit: str, type_this: str) -> None:
    file = tmp_path / "i.yml"
    file.write_text("東京: {hosts: {夜間０１: , hv02: }}", encoding="utf-8")
    with pytest.raises(ConfigError, match=re.escape(f"in it is full-width: type {type_this}") + "$"):
        Inventory.load(file).limited(limit)
