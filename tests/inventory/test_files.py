"""Which files count, and which of them win."""

from __future__ import annotations

from pathlib import Path

import pytest

from hvctl.config.inventory import Inventory
from hvctl.text.diagnostic import ConfigError
from tests.inventory.folders import written


def variables(inventory: Inventory, host: str) -> dict[str, object]:
    return dict(inventory.hosts[host].variables)


def test_folders_of_variables_recurse_and_hide_what_ansible_hides(tmp_path: Path) -> None:
    written(
        tmp_path,
        {
            "inv.yml": "lab: {hosts: {h1: }}\nweb: {hosts: {h1: }}\n",
            "group_vars/lab/b.yml": "x: b", "group_vars/lab/a.yml": "x: a", "group_vars/lab/deep/c.json": '{"z": 1}',
            "group_vars/lab.yml": "not: read", "group_vars/lab/.hidden.yml": "hidden: 1",
            "group_vars/lab/old.yml~": "old: 1", "group_vars/lab/old.bak": "bak: 1", "group_vars/lab/d.d/x.yml": "d: 1",
            "group_vars/web": "w: file", "group_vars/web.yml": "w: yml",
        },
    )  # fmt: skip
    assert variables(Inventory.load(tmp_path / "inv.yml"), "h1") == {"x": "b", "z": 1, "w": "file"}


def test_variables_beside_the_playbook_rank_between(tmp_path: Path) -> None:
    written(
        tmp_path,
        {
            "inv/hosts": "[lab]\nh1 own=inventory\n",
            "inv/group_vars/all.yml": "a: inventory", "plays/group_vars/all.yml": "a: play\nb: play",
            "inv/group_vars/lab.yml": "b: inventory\nc: inventory", "plays/group_vars/lab.yml": "c: play",
            "plays/host_vars/h1.yml": "own: play",
        },
    )  # fmt: skip
    inventory = Inventory.load(tmp_path / "inv")
    assert variables(inventory, "h1") == {"own": "inventory", "a": "inventory", "b": "inventory", "c": "inventory"}
    beside = inventory.beside(tmp_path / "plays")
    assert variables(beside, "h1") == {"own": "play", "a": "play", "b": "inventory", "c": "play"}
    assert beside.variables(beside.hosts["h1"])["playbook_dir"] == str(tmp_path / "plays")


def test_folders_of_inventories_have_folders_within(tmp_path: Path) -> None:
    written(
        tmp_path,
        {
            "a.yml": "lab: {hosts: {h1: }}", "sub/b": "[lab]\nh2\n", "notes.md": "[", "old.cfg": "[", "x.retry": "[",
            "group_vars/lab.yml": "top: 1", "sub/group_vars/lab.yml": "sub: 1",
        },
    )  # fmt: skip
    (tmp_path / "sub" / "back").symlink_to(tmp_path)
    inventory = Inventory.load(tmp_path)
    assert inventory.groups["lab"] == ("h1", "h2")
    assert variables(inventory, "h2") == {"top": 1}


def test_several_sources_and_lists_of_hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(
        tmp_path,
        {
            "one/inv.yml": "lab: {hosts: {h1: {v: one}}, vars: {g: one}}", "one/group_vars/lab.yml": "f: one",
            "two/hosts": "[lab]\nh1 v=two\n[lab:vars]\ng=two\n", "two/group_vars/lab.yml": "f: two",
        },
    )  # fmt: skip
    monkeypatch.chdir(tmp_path)
    inventory = Inventory.load(["one/inv.yml", "two/hosts", "h2:5985,fd00::1,"])
    assert variables(inventory, "h1") == {"v": "two", "g": "two", "f": "two"}
    assert inventory.groups["ungrouped"] == ("h2", "fd00::1")
    assert variables(inventory, "h2") == {"ansible_port": 5985}


def test_priority_may_be_quoted_and_counts_in_the_inventory_only(tmp_path: Path) -> None:
    text = """
      a: {hosts: {h1: }, vars: {x: a, ansible_group_priority: "10"}}
      b: {hosts: {h1: }, vars: {x: b, ansible_group_priority: 9}}
    """
    written(tmp_path, {"inv.yml": text, "group_vars/b.yml": "ansible_group_priority: 99"})
    assert variables(Inventory.load(tmp_path / "inv.yml"), "h1")["x"] == "a"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("hosts", "[lab:children]\nnope\n", "hosts:2:1: [lab:children] names the group nope, which is not defined"),
        ("hosts", "[nope:vars]\nx=1\n", "hosts:1:1: [nope:vars] is for a group that is not defined"),
        ("hosts", "[lab:hostz]\n", "is not a valid heading of a group"),
        ("inv.ini", "all:\n  hosts:\n    h1:\n", "this looks like YAML"),
        ("inv.yml", "plugin: vmware\n", "inv.yml:1:9: this configures Ansible's inventory plugin vmware; hvctl does not run"),
        ("inv.toml", "[lab.hosts]\n", "inv.toml is a TOML inventory, which hvctl does not read"),
        ("inv.yml", "g: {vars: {ansible_group_priority: high}}", "'high' is not a valid ansible_group_priority"),
        ("inv.yml", "g: {hosts: {'h[3:1]': }}", "[3:1] ends before it begins; swap the two values"),
    ],
)  # fmt: skip
def test_what_is_not_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str, said: str
) -> None:
    monkeypatch.chdir(written(tmp_path, {name: text}))
    with pytest.raises(ConfigError) as error:
        Inventory.load(name)
    assert said in str(error.value)


def test_values_of_an_ini_inventory(tmp_path: Path) -> None:
    written(tmp_path, {"hosts": "h1 t=(1,(2,3)) s={5} c=1j d=... w='a b'\n[fd00::2]:5986\n"})
    inventory = Inventory.load(tmp_path / "hosts")
    assert variables(inventory, "h1") == {"t": [1, [2, 3]], "s": [5], "c": "1j", "d": "...", "w": "a b"}
    assert variables(inventory, "fd00::2") == {"ansible_port": 5986}


def test_every_host_knows_its_file_and_groups(tmp_path: Path) -> None:
    written(tmp_path, {"hosts": "192.0.2.7\nweb1.lab\n[b]\nweb1.lab\n[a]\nweb1.lab\n"})
    inventory = Inventory.load(tmp_path / "hosts")
    address, web = (inventory.variables(inventory.hosts[n]) for n in ("192.0.2.7", "web1.lab"))
    assert (address["inventory_hostname_short"], web["inventory_hostname_short"]) == ("192.0.2.7", "web1")
    assert (address["group_names"], web["group_names"]) == (["ungrouped"], ["a", "b"])
    assert (web["inventory_file"], web["inventory_dir"]) == (str(tmp_path / "hosts"), str(tmp_path))
    assert web["groups"] == {
        "all": ["192.0.2.7", "web1.lab"],
        "ungrouped": ["192.0.2.7"],
        "b": ["web1.lab"],
        "a": ["web1.lab"],
    }


def test_a_group_of_a_dangerous_name_reads_no_file_elsewhere(tmp_path: Path) -> None:
    written(
        tmp_path, {"inv/inv.yml": "'../../secret': {hosts: {h1: }}\n", "secret.yml": "x: 1", "inv/group_vars/a": ""}
    )
    assert variables(Inventory.load(tmp_path / "inv" / "inv.yml"), "h1") == {}
