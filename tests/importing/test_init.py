"""hvctl init."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from tests.importing.conftest import Run
from tests.reference.editor import complaints, complaints_of, read

SCHEMAS = {f"schemas/{name}.json" for name in ("playbook", "inventory", "variables")}
FILES = {"inventory.yml", "site.yml", ".gitignore", "group_vars/hyper_v.yml", *SCHEMAS}


def written(folder: Path) -> set[str]:
    return {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}


def test_what_it_writes_is_valid(hvctl: Run, tmp_path: Path) -> None:
    status, out, _ = hvctl("init", "lab")
    assert status == 0
    assert written(tmp_path / "lab") == FILES
    assert "hvctl doctor all" in out
    status, out, err = hvctl("validate", "lab/site.yml")
    assert (status, "1 host" in out) == (0, True), out + err
    assert "warning" not in err


def test_hosts_and_the_account_are_taken(hvctl: Run, tmp_path: Path) -> None:
    assert hvctl("init", "--host", "hv01.tokyo", "--host", "仮想01", "--user", "LAB\\yes: admin")[0] == 0
    status, out, err = hvctl("inventory", "--list")
    assert status == 0, err
    assert "hv01.tokyo" in out
    assert "仮想01" in out
    assert "LAB\\\\yes: admin" in out
    assert hvctl("validate", "site.yml")[0] == 0


def test_it_overwrites_nothing(hvctl: Run, tmp_path: Path) -> None:
    (tmp_path / "site.yml").write_text("mine", "utf-8")
    status, _, err = hvctl("init")
    assert (status, "site.yml is there already, and is not overwritten" in err) == (1, True)
    assert written(tmp_path) == {"site.yml"}


def test_secrets_are_named_and_never_written(hvctl: Run, tmp_path: Path) -> None:
    assert hvctl("init")[0] == 0
    assert "ansible_password: !env HVCTL_PASSWORD" in (tmp_path / "group_vars" / "hyper_v.yml").read_text("utf-8")


def test_an_import_goes_beside_it(hvctl: Run, tmp_path: Path, hosts: dict[str, object]) -> None:
    hosts["hv01"] = {"os": "2022", "vms": [{"name": "web01", "generation": 1, "drives": [], "adapters": []}]}
    assert hvctl("init", "--host", "hv01")[0] == 0
    assert hvctl("import", "all", "--split")[0] == 0
    assert (tmp_path / "hv01.yml").exists()
    assert hvctl("plan", "site.yml", "hv01.yml", "--detailed-exitcode")[0] == 0


def test_what_it_writes_and_imports_passes_the_schemas_that_it_writes(
    hvctl: Run, tmp_path: Path, hosts: dict[str, object]
) -> None:
    examples = Path(__file__).parent.parent.parent / "mocks" / "hosts"
    hosts |= {f.stem: yaml.safe_load(f.read_text(encoding="utf-8")) for f in examples.glob("*.yaml")}
    assert hvctl("init", *(word for name in hosts for word in ("--host", name)))[0] == 0
    ours = [f for f in tmp_path.rglob("*.yml") if "ansible_password" not in f.read_text(encoding="utf-8")]
    assert [c for file in ours for c in complaints_of(file)] == []
    assert complaints_of(tmp_path / "group_vars" / "hyper_v.yml") == []
    assert hvctl("import", "all", "--all", "--split")[0] == 0
    schema = json.loads((tmp_path / "schemas" / "playbook.json").read_text(encoding="utf-8"))
    for name in hosts:
        assert complaints(schema, read((tmp_path / f"{name}.yml").read_text(encoding="utf-8"))) == []
