"""The wheel: all that hvctl reads is in it, it runs with nothing but what it needs, and each extra brings what it is for."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from mocks.host import SimulatedHost
from mocks.tls import make_authority
from mocks.wsman import Endpoint, Server
from tests import requirements

ROOT = Path(__file__).parents[2]
NOT_SHIPPED = {"contract/cmdlets.txt"}
"""What only the scripts beside the package read."""

STATE = {"os": "2022", "vms": [{"name": "web01", "generation": 2, "processor": {"count": 2}}]}
PLAYBOOK = "- hosts: all\n  vms: [{name: web01, processor: {count: 2}}]\n"
KEYRING = "all: {hosts: {h: {ansible_host: 127.0.0.1, ansible_user: u, ansible_password: !keyring hvctl/u}}}\n"

pytestmark = pytest.mark.xdist_group("packaging")


@dataclass(frozen=True)
class Installed:
    """An environment with hvctl in it and a folder to work in."""

    python: Path
    folder: Path

    def hvctl(self, *words: str) -> tuple[int, str]:
        """The exit status, and what was printed, in one line."""
        env = {k: v for k, v in os.environ.items() if not k.startswith(("HVCTL_", "PYTHON"))}
        env |= {"XDG_STATE_HOME": str(self.folder / "state"), "COLUMNS": "300"}
        script = self.python.with_name("hvctl")
        done = subprocess.run(
            [script, *words], capture_output=True, text=True, check=False, timeout=120, env=env, cwd=self.folder
        )
        return done.returncode, " ".join((done.stdout + done.stderr).split())


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """From a copy, so that nothing of an earlier build comes along."""
    requirements.index()
    source, out = tmp_path_factory.mktemp("source") / "hvctl", tmp_path_factory.mktemp("wheel")
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "hvctl", source / "hvctl", ignore=shutil.ignore_patterns("__pycache__"))
    _pip(Path(sys.executable), "wheel", "--no-deps", "--wheel-dir", str(out), str(source))
    (found,) = out.glob("hvctl-*.whl")
    return found


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    @cache
    def made(extra: str) -> Path:
        folder = tmp_path_factory.mktemp(extra or "plain") / "env"
        subprocess.run([sys.executable, "-m", "venv", folder], check=True, timeout=120)
        python = folder / "bin" / "python"
        _pip(python, "install", f"{wheel}[{extra}]" if extra else str(wheel))
        return python

    return made


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Path]:
    """A folder with an inventory of one simulated host, over the real wire, and a playbook that it is in sync with."""
    authority = make_authority(tmp_path)
    endpoint = Endpoint(SimulatedHost.from_yaml(STATE), {"u": "p"}, scheme="https")
    with Server([endpoint], authority):
        (tmp_path / "inventory.yml").write_text(
            f"all: {{hosts: {{h: {{ansible_host: 127.0.0.1, ansible_port: {endpoint.port}, ansible_user: u, "
            f"ansible_password: p, ansible_winrm_transport: ntlm, ansible_winrm_ca_trust_path: '{authority.ca}'}}}}}}\n"
        )
        (tmp_path / "lab.yml").write_text(PLAYBOOK)
        yield tmp_path


def _pip(python: Path, *words: str) -> None:
    done = subprocess.run(
        [python, "-m", "pip", "--disable-pip-version-check", "--quiet", *words],
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_the_wheel_has_every_file_of_the_package(wheel: Path) -> None:
    files = {p.relative_to(ROOT / "hvctl").as_posix() for p in (ROOT / "hvctl").rglob("*") if p.is_file()}
    # Of catalogues the compiled ones.
    wanted = {name for name in files if "__pycache__" not in name and not name.endswith(".po")} - NOT_SHIPPED
    with zipfile.ZipFile(wheel) as archive:
        shipped = {n.removeprefix("hvctl/") for n in archive.namelist() if n.startswith("hvctl/")}
    assert shipped == wanted
    assert {"winrm/runner.ps1", "show/templates/check.html.j2", "show/schema/check.v1.json"} <= shipped


def test_the_plain_tool_checks_a_host_and_says_once_that_nothing_is_remembered(
    environment: Callable[[str], Path], served: Path
) -> None:
    plain = Installed(environment(""), served)
    assert plain.hvctl("--version")[0] == 0
    assert plain.hvctl("validate", "lab.yml")[0] == 0
    status, said = plain.hvctl("drift", "lab.yml", "--report", "html=report.html,json=report.json")
    assert status == 0, said
    lacks = "warning: nothing is remembered without SQLAlchemy and Alembic; install it: python -m pip install 'hvctl[history]'"
    assert said.count(lacks) == 1
    assert (served / "report.html").stat().st_size > 1000
    status, said = plain.hvctl("drift", "lab.yml", "--no-history")
    assert (status, "1 host: 1 in sync." in said, "remembered" in said) == (0, True, False)


REFUSED = {
    "history": (["history"], "the history needs SQLAlchemy and Alembic"),
    "a history": (["drift", "lab.yml", "--history", "h.db"], "--history needs SQLAlchemy and Alembic"),
    "history of meters": (["metering", "--reset"], "--reset needs SQLAlchemy and Alembic"),
    "metrics": (["drift", "lab.yml", "--metrics", "m.prom"], "--metrics needs prometheus-client"),
    "metrics of meters": (["metering", "--metrics", "m.prom"], "--metrics needs prometheus-client"),
    "notify": (["drift", "lab.yml", "--notify", "json://localhost"], "--notify needs Apprise"),
    "dask": (
        ["--executor", "dask", "--scheduler", "tls://h:1", "drift", "lab.yml"],
        "--executor dask needs dask.distributed",
    ),
    "keyring": (["-i", "keyring.yml", "plan", "lab.yml"], "!keyring needs keyring"),
    "dashboard": (["serve"], "hvctl serve needs Starlette, uvicorn, python-multipart, SQLAlchemy and Alembic"),
    "ipaddr": (["validate", "ip.yml"], "the filter ipaddr needs netaddr"),
    "images": (["validate", str(ROOT / "playbooks" / "lab.yml")], "cloud_init needs pycdlib"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_needs_a_missing_extra_says_how_to_install_it(
    case: str, environment: Callable[[str], Path], tmp_path: Path
) -> None:
    (tmp_path / "lab.yml").write_text(PLAYBOOK)
    (tmp_path / "inventory.yml").write_text("all: {hosts: {h: {ansible_host: 127.0.0.1, ansible_port: 9}}}\n")
    (tmp_path / "keyring.yml").write_text(KEYRING)
    (tmp_path / "ip.yml").write_text(PLAYBOOK.replace("web01", "\"{{ '192.0.2.1' | ipaddr }}\""))
    words, what = REFUSED[case]
    status, said = Installed(environment(""), tmp_path).hvctl(*words)
    extra = case.removeprefix("a ").split(maxsplit=1)[0]
    assert (status, said.count("Traceback")) == (1, 0), said
    assert f"{what}; install it: python -m pip install 'hvctl[{extra}]'" in said


def test_the_extra_history_remembers(environment: Callable[[str], Path], served: Path) -> None:
    installed = Installed(environment("history"), served)
    status, said = installed.hvctl("drift", "lab.yml")
    assert (status, "1 host: 1 in sync." in said, "remembered" in said) == (0, True, False)
    assert (served / "state" / "hvctl" / "history.db").exists()
    status, said = installed.hvctl("history")
    assert (status, said.startswith("1 host")) == (0, True), said


def test_the_extra_metrics_writes_them(environment: Callable[[str], Path], served: Path) -> None:
    status, said = Installed(environment("metrics"), served).hvctl("drift", "lab.yml", "--metrics", "m.prom")
    assert status == 0, said
    assert 'hvctl_host_up{host="h"} 1.0' in (served / "m.prom").read_text()


def test_the_extra_notify_tells(environment: Callable[[str], Path], served: Path) -> None:
    (served / "lab.yml").write_text(PLAYBOOK.replace("2}", "4}"))
    words = ("drift", "lab.yml", "--every", "10m", "--notify", "json://127.0.0.1:9")
    status, said = Installed(environment("notify"), served).hvctl(*words[:2], *words[4:], "--no-history")
    assert status == 2, said
    assert "without a history or --every nobody knows what is new" in said  # the target was understood


def test_the_extra_keyring_asks_it(environment: Callable[[str], Path], tmp_path: Path) -> None:
    (tmp_path / "lab.yml").write_text(PLAYBOOK)
    (tmp_path / "keyring.yml").write_text(KEYRING)
    status, said = Installed(environment("keyring"), tmp_path).hvctl("-i", "keyring.yml", "plan", "lab.yml")
    assert status == 1
    assert "the keyring cannot be asked" in said or "the keyring has nothing for hvctl/u" in said


def test_the_extra_images_makes_seeds(environment: Callable[[str], Path], tmp_path: Path) -> None:
    status, said = Installed(environment("images"), tmp_path).hvctl("validate", str(ROOT / "playbooks" / "lab.yml"))
    assert status == 0, said


def test_the_extra_of_developers_has_all_the_others() -> None:
    import tomllib  # noqa: PLC0415

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    every = {e for e in extras if e not in ("all", "dev", "kerberos", "credssp", "dask", "postgresql", "seed")}
    (named,) = [d for d in extras["all"] if d.startswith("hvctl[")]
    assert set(named.removeprefix("hvctl[").rstrip("]").split(",")) == every
    assert any(d.startswith("hvctl[all") for d in extras["dev"])
