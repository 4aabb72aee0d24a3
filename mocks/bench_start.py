"""What a start costs: CPU of the verbs that ask no host, beside an hvctl that imports all of itself."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

LAB = Path(__file__).parents[1] / "playbooks" / "lab.yml"
RUNS = 5

WHOLE = """
import importlib, pkgutil, sys
import hvctl
for module in pkgutil.walk_packages(hvctl.__path__, "hvctl."):
    if "migrations" not in module.name and not module.name.endswith("__main__"):
        importlib.import_module(module.name)
from hvctl.__main__ import entry
entry()
"""


@dataclass(frozen=True)
class Start:
    """`cpu_ms`: the median of some runs, the second and later ones of that code, so that its bytecode is there."""

    cpu_ms: float


def rows(runs: int = RUNS) -> list[dict[str, Any]]:
    """Each with what it costs when all of hvctl is imported first."""
    words = {
        "start: --version": (["--version"], {}),
        "start: --help": (["--help"], {}),
        "start: a shell completes a verb": ([], completing("hvctl pl")),
        "start: a shell completes an option": ([], completing("hvctl plan --de")),
        "start: validate the example": (["validate", str(LAB)], {}),
    }
    found = []
    for scenario, (given, environment) in words.items():
        ours = Start(cpu_ms(["-m", "hvctl", *given], environment, runs))
        whole = Start(cpu_ms(["-c", WHOLE, *given], environment, runs))
        found.append({"scenario": scenario, "ours": asdict(ours), "naive": asdict(whole)})
    return found


def completing(line: str) -> dict[str, str]:
    """The environment in which a shell asks."""
    return {"_HVCTL_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}


def cpu_ms(words: list[str], environment: Mapping[str, str], runs: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        # Bytecode of its own: a control node has it, whatever the shell that runs this says.
        env = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        env |= {"PYTHONPYCACHEPREFIX": folder, **environment}
        found = [_once(words, env) for _ in range(runs + 1)]
    return round(median(found[1:]), 1)


def _once(words: list[str], env: Mapping[str, str]) -> float:
    before = _children()
    subprocess.run([sys.executable, *words], env=env, check=False, capture_output=True)
    return (_children() - before) * 1000


def _children() -> float:
    """Seconds of CPU that ended processes have used."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
