"""What `hvctl explain` says of a key, and of one that there is not."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from hvctl.cli import main
from hvctl.contract import VERSIONS, contract
from hvctl.core.fields import Fields, models_in
from hvctl.core.resource import Resource
from hvctl.kinds import kind_named, kinds
from hvctl.reference.explain import explained, names
from hvctl.reference.item import Item, items
from hvctl.reference.meanings import declared_in, meanings
from hvctl.text.diagnostic import ConfigError

REFERENCE = (Path(__file__).parent.parent.parent / "docs" / "playbook.md").read_text(encoding="utf-8")
FIELDS = [i for i in items() if i.info is not None]


@pytest.mark.parametrize("item", items(), ids=lambda i: i.name)
def test_it_says_what_the_reference_says(item: Item) -> None:
    said = "\n".join(explained(item.name))
    assert said.startswith(f"{item.name}\n")
    assert item.means.splitlines()[0] in said
    example = yaml.safe_load(said.partition("\n  example\n")[2].partition("\n\n")[0])
    of_cluster = item.path[:2] in (("vms", "role"), ("vms", "clustered"))  # refused anywhere else
    assert item.path[0] in (example["cluster"] if of_cluster else example)
    for below in item.below:
        assert f"  {below.name} " in said or f"  {below.name}\n" in f"{said}\n"
    if item.info is not None and item.kind is not None:
        dotted = item.name.removeprefix(f"{'.'.join(item.path[: _depth(item.kind)])}.")
        rows = [r for r in REFERENCE.splitlines() if r.startswith((f"| `{dotted}` |", f"| `{dotted}` (req"))]
        means = item.meaning.text.replace("|", "\\|")
        assert any(means in row and item.value in row for row in rows)


def _depth(kind: type[Resource]) -> int:
    """How many sections it stands in, its own among them."""
    return 1 if kind.within is None else 1 + _depth(kind_named(kind.within))


def test_of_a_field_all_that_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "vms.disks.iops.maximum"]) == 0
    assert capsys.readouterr().out == (
        "vms.disks.iops.maximum\n"
        "  normalised I/O operations of 8 KB a second that it never exceeds\n"
        "\n"
        "  value     number; at least 0; null: none\n"
        "  impact    online\n"
        "  from      Windows Server 2012 R2 and later\n"
        "  cmdlet    Set-VMHardDiskDrive -MaximumIOPS\n"
        "\n"
        "  example\n"
        "    vms:\n"
        "    - name: web01\n"
        "      disks:\n"
        "      - at: scsi 0:0\n"
        "        iops: {maximum: 2000}\n"
    )


def test_a_size_has_its_unit_and_its_bound_in_words() -> None:
    said = explained("vms.memory.startup")
    assert "  value     size; at least 32 MB" in said
    assert "  unit      bytes; KB, MB, GB, TB and PB are binary, as in PowerShell (60GB)" in said


def test_what_is_below_a_prefix() -> None:
    said = "\n".join(explained("vms.memory"))
    assert "  vms.memory.dynamic " in said and "vms.memory.dynamic.minimum" not in said
    assert "  vms " in "\n".join(explained("")) and "  hosts " in "\n".join(explained(""))


@pytest.mark.parametrize(
    ("asked", "found"),
    [("vms.cpu", "vms.processor.count"), ("VMs.Memory", "vms.memory"), ("iops", "vms.disks.iops"),
     ("boot_order_only", "vms.firmware.boot_order_only"), ("hvctl_os", "hvctl_os")],
)  # fmt: skip
def test_another_word_for_it(asked: str, found: str) -> None:
    assert explained(asked)[0] == found


@pytest.mark.parametrize(
    "asked", ["loop", "vms.loop", "vms.disks.loop", "accept", "vms.accept", "vms.memory.accept", "host.accept"]
)
def test_keys_that_every_resource_may_have(asked: str) -> None:
    said = explained(asked)
    assert said[0] == asked
    assert yaml.safe_load("\n".join(said).partition("\n  example\n")[2]).keys() == {asked.rpartition(".")[2]}


@pytest.mark.parametrize("asked", ["vms.memory.loop", "vms.notes.accept", "nothing.loop"])
def test_and_others_may_not(asked: str) -> None:
    with pytest.raises(ConfigError):
        explained(asked)


def test_a_word_that_several_keys_have() -> None:
    assert "  vms.processor.weight " in "\n".join(explained("weight"))


@pytest.mark.parametrize(
    ("asked", "meant"),
    [("vms.disk.iops", "vms.disks.iops"), ("vms.procesor", "vms.processor"), ("switchs", "switches"),
     ("vms.processor.wieght", "vms.processor.weight"), ("ansible_hots", "ansible_host"),
     ("secureboot", "vms.firmware.secure_boot")],
)  # fmt: skip
def test_a_wrong_name_suggests_the_nearest(asked: str, meant: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", asked]) == 1
    assert f"no key is called '{asked}'; did you mean {meant}?" in capsys.readouterr().err.replace("\n", " ")


def test_nonsense_suggests_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "zzzzzzzz"]) == 1
    assert "hvctl explain lists the keys of a play" in capsys.readouterr().err


def test_every_field_has_a_meaning_and_no_meaning_is_left_over() -> None:
    assert [i.name for i in FIELDS if not i.meaning.text] == []
    used: set[tuple[str, str]] = {(of, name) for of in ("Play", "Item") for name in meanings()[of]}
    waiting: list[type[Fields]] = list(kinds())
    while waiting:
        model = waiting.pop()
        for name, info in model.model_fields.items():
            used.add((declared_in(model, name), info.alias or name))
            waiting += models_in(info.annotation)
    assert {(c, f) for c, fields in meanings().items() for f in fields} == used
    assert len(names()) == len(set(names()))


@pytest.mark.parametrize("item", [i for i in FIELDS if i.cmdlet], ids=lambda i: i.name)
def test_its_cmdlet_has_that_parameter_on_some_version(item: Item) -> None:
    name, _, parameter = item.cmdlet.partition(" -")
    found = [c for os in VERSIONS if (c := contract(os).cmdlet(name)) is not None]
    assert found
    assert not parameter or any(c.answer(parameter) == "present" for c in found)
