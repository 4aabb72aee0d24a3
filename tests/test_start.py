"""What a start imports: a verb's module when it is asked for, and heavy libraries for those verbs only that need them."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from hvctl.cli.app import app, main
from hvctl.cli.lazy import VERBS, Commands, LazyVerbs, Verb

ROOT = Path(__file__).parents[1]
LAB = str(ROOT / "playbooks" / "lab.yml")

HEAVY = (
    "alembic", "apprise", "cryptography", "distributed", "http.server", "jinja2", "keyring", "prometheus_client",
    "pycdlib", "pydantic", "requests", "rich", "sqlalchemy", "starlette", "tenacity", "uvicorn", "winrm", "yaml",
)  # fmt: skip
CONFIGURATION = {"jinja2", "pydantic", "rich", "yaml"}
WIRE = {"cryptography", "requests", "tenacity", "winrm"}
SEEDS = {"pycdlib"}
"""The example has seeds of cloud-init and unattend, which become ISO images."""
HISTORY = {"alembic", "sqlalchemy", "tenacity"}
MAY: dict[str, tuple[list[str], set[str]]] = {
    "version": (["--version"], {"rich"}),
    "help": (["--help"], {"rich"}),
    "help of a verb": (["plan", "--help"], {"rich", "pydantic"}),
    "report-schema": (["report-schema"], {"rich", "pydantic"}),
    "validate": (["validate", LAB], CONFIGURATION | SEEDS),
    "inventory": (["-i", str(ROOT / "playbooks" / "inventory.yml"), "inventory", "--graph"], CONFIGURATION),
    "schedule": (["schedule", "list"], CONFIGURATION),
    "schema": (["schema"], CONFIGURATION | SEEDS | WIRE),
    "explain": (["explain", "vms.disks"], CONFIGURATION | SEEDS | WIRE),
    "show": (["show", "nothing.plan"], CONFIGURATION | SEEDS | WIRE),
    "plan": (["plan", LAB, "--limit", "nobody"], CONFIGURATION | SEEDS | WIRE),
    "apply": (["apply", LAB, "--limit", "nobody"], CONFIGURATION | SEEDS | WIRE),
    "drift": (["drift", LAB, "--limit", "nobody"], CONFIGURATION | SEEDS | WIRE),
    "drift without a history": (["drift", LAB, "--limit", "nobody", "--no-history"], CONFIGURATION | SEEDS | WIRE),
    "import": (["import", "nobody"], CONFIGURATION | WIRE),
    "init": (["init", "/proc/nowhere"], CONFIGURATION | WIRE),
    "serve": (["serve", "--listen", "nowhere"], CONFIGURATION | HISTORY | {"http.server", "starlette", "uvicorn"}),
    "facts": (["facts", "nobody"], CONFIGURATION),
    "record": (["record", "nobody"], CONFIGURATION),
    "history": (["history"], CONFIGURATION | HISTORY),
    "metering": (["metering", LAB, "--limit", "nobody"], CONFIGURATION | SEEDS | WIRE),
    "bill": (["metering", "report", "--prices", "nothing.yml"], CONFIGURATION | WIRE),
    "export": (["export", "vm", "--to", "E:\\x"], CONFIGURATION | SEEDS | WIRE),
    "doctor": (["doctor", "nobody"], CONFIGURATION | WIRE),
    "cluster": (["cluster", "drain", "nobody"], CONFIGURATION | WIRE),
    "replica": (["replica", "cancel", "nobody"], CONFIGURATION | WIRE),
}
"""What is typed, and which of the heavy libraries it may import."""

IMPORTED = """
import json, sys
verbs, heavy = json.loads(sys.argv[1]), sys.argv[2].split(",")
from hvctl.cli import main
for words in verbs:
    main(words)
    print("\\n\\0" + json.dumps([m for m in heavy if m in sys.modules]))
"""

COMPLETED = """
import atexit, sys
atexit.register(lambda: print(*sys.modules, file=sys.stderr))
from hvctl.cli import main
main([])
"""


def python(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {k: v for k, v in os.environ.items() if not k.startswith(("HVCTL_", "_HVCTL", "COMP_"))}
    env |= {"PYTHONPATH": str(ROOT), **environment}
    return subprocess.run(
        [sys.executable, *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=env,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
    )


ALIKE = {
    may: [case for case in MAY if MAY[case][1] == may]
    for may in dict.fromkeys(frozenset(may) for _, may in MAY.values())
}


@pytest.mark.parametrize("may", ALIKE, ids=lambda may: ALIKE[may][0])
def test_a_verb_imports_the_heavy_libraries_that_it_needs_and_no_more(may: frozenset[str], tmp_path: Path) -> None:
    """Verbs that may import the same run in one process: what any of them imports too much is seen after it."""
    words = json.dumps([MAY[case][0] for case in ALIKE[may]])
    done = python("-c", IMPORTED, words, ",".join(HEAVY), XDG_STATE_HOME=str(tmp_path))
    assert "Traceback" not in done.stderr, done.stderr
    imported = [json.loads(line[1:]) for line in done.stdout.splitlines() if line.startswith("\0")]
    after = dict(zip(ALIKE[may], imported, strict=True))
    assert {case: heavy for case, heavy in after.items() if not set(heavy) <= may} == {}, done.stderr


def test_every_verb_is_listed_above() -> None:
    typed = {words[0] if not words[0].startswith("-i") else words[2] for words, _ in MAY.values()}
    assert typed >= VERBS.keys()


def test_the_package_alone_imports_nothing_but_itself() -> None:
    done = python("-c", "import sys; before = set(sys.modules); import hvctl; print(sorted(set(sys.modules) - before))")
    assert done.stdout.strip() in ("['hvctl']", "[]"), done.stdout


@pytest.mark.parametrize(
    ("words", "found"),
    [("hvctl pl", "plan"), ("hvctl me", "metering"), ("hvctl plan --detailed", "--detailed-exitcode")],
)
def test_a_shell_completes_without_the_wire(words: str, found: str) -> None:
    asked = {"_HVCTL_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    done = python("-c", COMPLETED, **asked)
    assert done.stdout.split() == [found], done.stderr
    assert not {"requests", "winrm", "sqlalchemy", "jinja2", "yaml", "hvctl.kinds"} & set(done.stderr.split())


# --- the table -------------------------------------------------------------------------------------------------------


def whole() -> LazyVerbs:
    found = typer.main.get_command(app)
    assert isinstance(found, LazyVerbs)
    return found


def test_the_table_says_what_the_verbs_say_of_themselves() -> None:
    assert {n: c.get_short_help_str(1000) for n, c in whole().commands.items()} == {n: v.help for n, v in VERBS.items()}


def test_the_table_lists_every_verb_that_some_module_has() -> None:
    """A module that puts a verb into the app, and is in no line of the table, would never be imported."""
    having = set()
    for file in (ROOT / "hvctl" / "cli").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr in ("command", "add_typer"):
                owner = ast.unparse(node.value)
                having |= {f"hvctl.cli.{file.stem}"} if owner == "app" else set()
    listed = {v.module for v in VERBS.values()}
    # billing.py has a verb within metering, whose module it imports.
    assert having - listed == {"hvctl.cli.metering"}
    assert listed - having == {"hvctl.cli.billing"}
    assert list(whole().commands) == list(VERBS)


def test_help_lists_the_verbs_without_their_modules() -> None:
    done = python("-m", "hvctl", "--help")
    listed = re.split(r"\n  (?=\S)", done.stdout.partition("Commands:")[2])
    assert [line.split()[0] for line in listed[1:]] == list(VERBS)
    assert "Show what would change." in done.stdout


def test_help_cuts_no_sentence(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Of no group of verbs, in the narrowest terminal that one has."""
    monkeypatch.setenv("COLUMNS", "80")
    root = typer.main.get_command(app)
    assert isinstance(root, LazyVerbs)
    groups = [name for name in VERBS if hasattr(root.commands[name], "commands")]
    assert set(groups) == {"cluster", "metering", "replica", "schedule"}
    for words in ([], *([name] for name in groups)):
        assert main([*words, "--help"]) == 0
        out = capsys.readouterr().out
        assert "..." not in out.partition("Commands:")[2], out


def test_what_the_import_of_a_verb_raises_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hvctl.cli.lazy.VERBS", {**VERBS, "gone": Verb("hvctl.cli.no_such_module", "")})
    commands = Commands({})
    assert "gone" in commands
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        commands["gone"]


def test_a_misspelt_verb_is_told_the_right_one() -> None:
    done = python("-m", "hvctl", "valdate")
    assert done.returncode == 1
    assert "'validate'" in done.stderr
