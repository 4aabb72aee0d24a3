"""Calls as PowerShell: whatever is in a value, a PowerShell that reads the line gets that value and does nothing else."""

from __future__ import annotations

import base64
import random
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from hvctl.call import NULL, Call, Ending, Home, Map, Ref, Secret, Staged
from hvctl.text.visible import HIDDEN
from tests import requirements

QUOTES = "'\u2018\u2019\u201a\u201b"
NASTY = [
    *QUOTES,
    *'"\u201c\u201d\u201e`$;|&<>(){}[]@#,=%^*?~!+-\u2013\u2014\u2015\\/ \u00a0\u3000:.0',
    *"\0\a\b\t\n\r\v\f\x1b\x7f\x85\x9b\u00ad\u200b\u200e\u202e\u2028\u2029\u2066\ufeff\ud800\udfff\U000e0041",
    *("$(Remove-VM x)", "'; Remove-VM x; '", "’; Remove-VM x; ’", "--%", "-Name", "a", "Ü", "仮想", "𠮷", "1kb", "$null"),
]  # fmt: skip
WORDS = [
    "Running",
    "007",
    "0x10",
    "1e3",
    "10GB",
    "1kb",
    "00155E010203",
    "true",
    "null",
    "",
    "-",
    "a b",
    "if",
    "D:\\x\\y.vhdx",
]


def texts(seed: int, count: int) -> list[str]:
    chance = random.Random(seed)
    return ["".join(chance.choices(NASTY, k=chance.randint(1, 9))) for _ in range(count)]


def test_all_five_single_quotes_are_doubled() -> None:
    assert (
        str(Call("Set-VM", {"Name": f"a{QUOTES}b"}))
        == "Set-VM -Name 'a''\u2018\u2018\u2019\u2019\u201a\u201a\u201b\u201bb'"
    )


def test_characters_that_are_not_seen_are_named_by_their_number() -> None:
    said = str(Call("Set-VM", {"Notes": "a\nb$c\x1b[2J\u202e\U000e0041"}))
    assert said == 'Set-VM -Notes "a`nb`$c$([char]0x1b)[2J$([char]0x202e)$([char]::ConvertFromUtf32(0xe0041))"'


def test_every_call_is_one_line_of_what_can_be_seen() -> None:
    for text in (*texts(1, 400), *WORDS):
        staged, home = Staged("0" * 64, 1, text, text), Home(text)
        ref = Ref(Call("Get-VM", {"Name": text}), {"Name": text, "Id": Ending(text)}, "Path")
        params: dict[str, Any] = {
            "A": text,
            "B": (text, text),
            "C": Map({text: (text,)}),
            "D": staged,
            "E": home,
            "F": ref,
        }
        assert not HIDDEN.search(str(Call("Set-VM", params)))


# --- with a real PowerShell --------------------------------------------------------------------------------------------

ECHO = """
function Show-It([string]$Text, [string[]]$Texts, [bool]$Flag, [switch]$On, [long]$Number, [hashtable]$Table, $Any) {
    function told($value) {
        if ($null -eq $value) { return 'null' }
        if ($value -is [array]) { return '[' + (@($value | ForEach-Object { told $_ }) -join ' ') + ']' }
        if ($value -is [string]) { return 's' + (@($value.ToCharArray() | ForEach-Object { [int]$_ }) -join '.') }
        if ($value -is [hashtable]) {
            return '{' + (@($value.Keys | Sort-Object | ForEach-Object { (told $_) + '=' + (told $value[$_]) }) -join ' ') + '}'
        }
        return "$value"
    }
    $bound = $PSBoundParameters
    [Console]::Out.WriteLine((@($bound.Keys | Sort-Object | ForEach-Object { $_ + ':' + (told $bound[$_]) }) -join '|'))
}
"""


def powershell(script: str, folder: Path) -> list[str]:
    """The lines that a script prints."""
    file = folder / "script.ps1"
    file.write_text(script, encoding="utf-8-sig")  # 5.1 takes a file without a mark for ANSI
    words = [str(requirements.engine()), "-NoLogo", "-NoProfile", "-NonInteractive", "-File", str(file)]
    done = _ended(words)
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout.decode("ascii").splitlines()


def _ended(words: Sequence[str], tries: int = 3) -> subprocess.CompletedProcess[bytes]:
    """The engine may abort when it has run a script: the thread of its pipeline races with the end of its runspace. That
    says nothing of the script, and changes nothing, so that it is run again."""
    done = subprocess.run(words, capture_output=True, check=False, stdin=subprocess.DEVNULL)
    aborted = done.returncode == -signal.SIGABRT and b"LocalPipeline.InvokeThreadProc" in done.stderr
    return _ended(words, tries - 1) if aborted and tries > 1 else done


def told(value: Any) -> str:
    if value is NULL:
        return "null"
    if isinstance(value, str):
        units = value.encode("utf-16-le", "surrogatepass")
        return "s" + ".".join(str(int.from_bytes(units[n : n + 2], "little")) for n in range(0, len(units), 2))
    if isinstance(value, Map):
        return "{" + " ".join(f"{told(k)}={told(v)}" for k, v in sorted(value.items.items())) + "}"
    if isinstance(value, Sequence):
        return "[" + " ".join(told(v) for v in value) + "]"
    return str(value)


def expected(params: Mapping[str, Any]) -> str:
    return "|".join(f"{name}:{told(params[name])}" for name in sorted(params))


def shows(params: Mapping[str, Any]) -> Call:
    return Call("Show-It", params)


@pytest.mark.engine
def test_a_real_powershell_binds_what_was_meant(tmp_path: Path) -> None:
    found = [*texts(2, 150), *NASTY, *WORDS]
    chance = random.Random(3)
    calls: list[dict[str, Any]] = [{"Text": t} for t in found]
    for text in found:
        several = tuple(chance.choices(found, k=chance.choice((1, 2, 3))))
        table = Map({"key": text, "list": several, "flag": False, "number": -5, "nothing": NULL, "a'b’c d": "x"})
        flags = {"Flag": chance.random() < 0.5, "On": chance.random() < 0.5}
        calls.append({"Texts": several, "Table": table, **flags, "Number": chance.randint(-(2**63), 2**63 - 1)})
    calls += [
        {"Any": ()},
        {"Any": NULL},
        {"Any": (("a", "b"), ("c", "d"))},
        {"Any": Map({})},
        {"Texts": (), "On": True},
    ]
    said = powershell("\n".join([ECHO, *(str(shows(c)) for c in calls)]), tmp_path)
    assert said == [expected(c) for c in calls]


@pytest.mark.engine
def test_what_is_not_text_cannot_be_run_by_mistake(tmp_path: Path) -> None:
    """A paste that does not mean what it says must not parse at all."""
    nasty = [*texts(4, 12), "x); Show-It -Text ran; (y", "]; Show-It -Text ran; [", ">; Show-It -Text ran; <", "it"]
    calls = [
        shows({"Text": value})
        for text in nasty
        for value in (
            Staged("0" * 64, 1, text, text),
            Secret(text),
            Ref(Call("Get-VM"), {"Name": text}),
            Ref(Call("Get-VM"), {"Id": Ending(text)}, many=True),
            (Ref(Call("Get-VM"), {"Name": text, "On": True}), "y"),
        )
    ]
    check = """
    $errors = $null
    $tokens = $null
    [void][System.Management.Automation.Language.Parser]::ParseInput($text, [ref]$tokens, [ref]$errors)
    [Console]::Out.WriteLine($errors.Count)
    """
    script = "".join(
        f"$text = [Text.Encoding]::Unicode.GetString([Convert]::FromBase64String("
        f"'{base64.b64encode(str(c).encode('utf-16-le')).decode()}'))\n{check}"
        for c in calls
    )
    counts = powershell(script, tmp_path)
    assert [str(c) for c, errors in zip(calls, counts, strict=True) if errors == "0"] == []


@pytest.mark.engine
def test_a_file_of_hvctls_folder_is_found_where_it_is(tmp_path: Path) -> None:
    call = shows({"Text": Home('a$b’"`c.json')})
    script = f"$env:ProgramData = 'C:\\P $d'\n{ECHO}\n{call}"
    assert powershell(script, tmp_path) == [expected({"Text": 'C:\\P $d\\hvctl\\a$b’"`c.json'})]
