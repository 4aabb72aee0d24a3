"""Inventories, variables, playbooks, templates and command lines that are nearly right: those of the repository, changed
node by node and byte by byte with what users and enemies write. A seed always makes the same one."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import get_args

import yaml
from pydantic import BaseModel

from hvctl.config.connection import TRANSPORTS
from hvctl.core.impact import IMPACTS
from hvctl.kinds import kinds
from hvctl.text.source import _Loader
from tests.harness import all_cases

LAB = Path(__file__).parent.parent.parent / "playbooks"
STR, INT = "tag:yaml.org,2002:str", "tag:yaml.org,2002:int"

WORDS = (
    "", " ", "abc", "no", "yes", "off", "on", "0", "-1", "1", "2", "1.5", "0644", "1:30", "1e3", "1e999", ".inf",
    "-.inf", ".nan", "~", "9" * 5000, "-" + "9" * 101, "0x" + "f" * 6000, "0o777", "1_000", "4294967296",
    "18446744073709551616", "60GB", "9" * 30 + "TB", "1.5.5GB", "٣GB", "h:²", "hv01:²", "hv01:65536",
    "hv01:" + "9" * 5000, "²", "scsi 0:0", "scsi ²:0", "scsi 0:" + "9" * 5000, "ide 9:9", "network lan", "all[0]",
    "all[²]", "all[" + "9" * 5000 + "]", "all[1:" + "9" * 5000 + "]", "all[-]", "hv[01:03]", "hv[1:99999]",
    "hv[1:9999][1:9999]", "hv[a:Z]", "hv[3:1]", "hv[" + "9" * 5000 + ":1]", "hv[1:9:0]", "~(", "~hv.*",
    "lab:&tokyo:!hv01", "!all", "&", ":", ",", "@/none", "@/dev/zero", "*", "[", "1-4294967295", "1-", "5,4,3",
    "0-0", "8000-70000", "10.0.0.0/99", "::/0", "00155D010203", "00-15-5D-01-02-03", "01:00-05:00", "99:99-99:99",
    "7d", "99999999999999999999d", "²d", "2026-13-45", "2026-01-01T00:00:00Z", r"D:\VMs\web01\os.vhdx", "D:\\",
    "\\\\srv\\share\\a.vhdx", "D:/a", "C:\\a\\..\\b", "../../../etc/passwd", "/dev/zero", "/proc/self/environ",
    "/dev/stdin/x", "files", "files/", "files/app.conf", "templates/odd.j2", "a" * 300, "a/b", "a\x00b", "\ud800",
    "\ud83d\ude00", "\x1b[2J", "\u202e", "\u2028", "仮想", "é" * 200, "{{ x }}", "{{ nothing }}", "{{", "}}",
    "{% if %}", "{% for i in range(9) %}{{ i }}{% endfor %}", "{{ inventory_hostname }}", "{{ hostvars }}",
    "{{ groups }}", "{{ 'a' * 10**9 }}", "{{ 10**100000 }}", "{{ range(10**9) | list }}", "{{ [1, 2] }}",
    "{{ {1: 2} }}", "{{ 1 / 0 }}", "{{ ''.__class__.__mro__ }}", "{{ self }}", "{{ range(3) }}",
    "{{ '%1000000000d' | format(1) }}", "{{ '{:1000000000}'.format(1) }}", "{{ ('x' * 999999) | center(10**9) }}",
    "{{ a }}", "{{ b }}{{ b }}", "{{ lookup('file', '/etc/passwd') }}", "{% include '/etc/passwd' %}",
    "{% import 'x' as y %}", "{{ x | nofilter }}", "{{ ansible_password }}", "{{ x.y.z }}", "{{ dict }}",
    "{{ 2 | root }}", "{{ namespace(a=1) }}", "{{ cycler(1) }}", "{{ none }}", "{{ 1.5e300 * 1e300 }}",
    "{{ x ~ '\ud800' }}", "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
)  # fmt: skip
TAGS = (
    "!!int", "!!float", "!!bool", "!!null", "!!str", "!!binary", "!!timestamp", "!!set", "!!omap", "!!pairs",
    "!!map", "!!seq", "!!merge", "!!value", "!!python/object/apply:os.system", "!!python/name:os.system", "!env",
    "!keyring", "!command", "!vault", "!unsafe", "!foo", "!", "tag:example.com,2000:x",
)  # fmt: skip
PLACES = (
    "hosts", "vars", "children", "vars_files", "name", "tags", "allow", "all", "ungrouped", "lab", "tokyo", "<<",
    "x", "a", "b", "",
)  # fmt: skip
CONNECTION = tuple(
    "ansible_host ansible_port ansible_user ansible_password ansible_connection ansible_winrm_transport ansible_winrm_scheme "
    "ansible_winrm_path ansible_winrm_server_cert_validation ansible_winrm_ca_trust_path ansible_winrm_cert_pem "
    "ansible_group_priority anisble_port ansible_ssh_user hvctl_os".split()
)
INI = """solo ansible_host=192.0.2.1 ansible_user=u
[lab]
hv[01:03] hvctl_os=2022 n=5 t="two words"
[tokyo]
hv02:5985 f=False
[both:children]
lab
tokyo
[all:vars]
ansible_user=u
x=[1, {'a': 2}]
"""
INVENTORY = """all:
  vars: {ansible_user: u, x: 1, a: '{{ x }}', b: '{{ a }}', o: &o {k: v, l: [1, 2]}}
  children:
    lab:
      hosts:
        hv[01:03]: {hvctl_os: 2022, <<: *o}
        hv10.example.com:5985: {ansible_host: 192.0.2.1, ansible_winrm_transport: kerberos}
      children: {tokyo: {hosts: {hv02: {hvctl_os: 2012r2}}}}
"""
LINES = (
    "[", "[lab", "[lab:vars]", "[lab:children]", "[lab:foo]", "[]", "[:vars]", "lab", "h x", "h x=", "h 'x", "=",
    "x=1", "''", "a=(1, 2)", "a=" + "9" * 5000, "a=1e999", "a={[]: 1}", "a=" + "[" * 3000, "h[1:²]", "h:²",
    "a=[b'x', 1j, ...]", "a={1, 2}",
)  # fmt: skip
INVENTORIES = ((INVENTORY, "inventory.yml"), (INVENTORY, "hosts"), (INI, "inventory.ini"), (INI, "hosts"))
RIGHT = (*TRANSPORTS, *IMPACTS, "present", "absent", "running", "static", "2022")
ODD_BYTES = (b"\0", b"\x85", b"\xff", b"\r", b"\n---\n", b"%YAML 9.9\n", b"&a ", b"*a ", b'"\\U0011FFFF"')


@dataclass
class Configuration:
    """What is run: words after `hvctl`, in a folder with these files."""

    files: dict[str, bytes]
    words: list[str]

    def write(self, folder: Path) -> None:
        for name, data in self.files.items():
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)


@cache
def playbooks() -> tuple[str, ...]:
    """Of the cases, each once, and the example's."""
    found = {case.file: case.playbook for case in all_cases()}
    lab = [(LAB / name).read_text(encoding="utf-8") for name in ("lab.yml", "copies.yml")]
    return (*(f"- hosts: all\n  {text[2:]}" for text in found.values()), *lab, *lab)


@cache
def keys() -> tuple[str, ...]:
    """Every word that a playbook or an inventory can have as a key."""
    found: dict[str, None] = dict.fromkeys((*PLACES, *CONNECTION))
    waiting: list[object] = list(kinds())
    while waiting:
        one = waiting.pop()
        waiting += get_args(one)
        if isinstance(one, type) and issubclass(one, BaseModel):
            found |= dict.fromkeys((*one.model_fields, str(getattr(one, "section", ""))))
            waiting += [info.annotation for info in one.model_fields.values()]
    return tuple(found)


def configuration(seed: int) -> Configuration:
    return _Maker(random.Random(seed)).made()


class _Maker:
    def __init__(self, chance: random.Random) -> None:
        self.chance = chance

    def made(self) -> Configuration:
        playbook = self.chance.choice(playbooks())
        inventory, name = self.chance.choice(INVENTORIES)
        ini = inventory is INI
        files = {
            "lab.yml": self.changed(playbook, 0.8),
            name: self.lines(inventory) if ini else self.changed(inventory, 0.3),
            "files/app.conf": b"x",
            "templates/odd.j2": self.word().encode("utf-8", "surrogatepass"),
            "vars.yml": self.changed("y: 1\nz: [a, {b: c}]\n", 0.3),
        }
        for folder, names in (("group_vars", ("all", "lab", "tokyo")), ("host_vars", ("hv01", "hv02"))):
            for one in names:
                if self.chance.random() < 0.2:
                    text = "".join(f"{k}: u\n" for k in self.chance.sample(CONNECTION, 2)) + "x: {y: '{{ a }}'}\n"
                    files[f"{folder}/{one}{self.chance.choice(('', '.yml', '.json'))}"] = self.changed(text, 0.3)
        return Configuration(files, ["-i", name, *self.verb()])

    def verb(self) -> list[str]:
        if self.chance.random() < 0.15:
            return ["inventory", self.chance.choice(("--list", "--graph"))]
        words = ["plan" if self.chance.random() < 0.05 else "validate", "lab.yml"]
        for option in ("--limit", "--tags", "-e", "-e"):
            if self.chance.random() < 0.1:
                value = self.word().replace("\x00", "")
                known = self.chance.choice(CONNECTION)
                forms = (value, f"x={value}", f"{known}={value}", "{" + value, "@vars.yml", f"@{value}")
                named = self.chance.choice(forms)
                words.append(f"{option}={named if option == '-e' else value}".replace("-e=", "-e"))
        return words

    def word(self) -> str:
        return self.chance.choice(WORDS)

    # --- nodes -------------------------------------------------------------------------------------------------------

    def changed(self, text: str, often: float) -> bytes:
        while self.chance.random() < often:
            try:
                node = yaml.compose(text, Loader=_Loader)
            except yaml.YAMLError:  # wrong already
                break
            if node is None or len(text) > 100_000:
                break
            for _ in range(self.chance.randint(1, 3)):
                self.node(node)
            text = yaml.serialize(node, allow_unicode=True, width=10_000)
            often /= 4
        data = text.encode("utf-8", "surrogatepass")
        return self.bytes(data) if self.chance.random() < 0.04 else data

    def node(self, top: yaml.Node) -> None:
        found = list(_within(top))
        parent = self.chance.choice([n for n in found if isinstance(n, yaml.CollectionNode)] or [top])
        if isinstance(parent, yaml.MappingNode):
            self.mapping(parent, found)
        elif isinstance(parent, yaml.SequenceNode):
            self.sequence(parent, found)

    def mapping(self, node: yaml.MappingNode, found: list[yaml.Node]) -> None:
        at = self.chance.randrange(len(node.value)) if node.value else -1
        match self.chance.randrange(8) if node.value else 7:
            case 0 | 1 | 2:
                node.value[at] = (node.value[at][0], self.fresh(found))
            case 3:
                node.value[at] = (self.key(found), node.value[at][1])
            case 4:
                del node.value[at]
            case 5:
                node.value.append(node.value[at])
            case 6:
                node.value.append((yaml.ScalarNode("tag:yaml.org,2002:merge", "<<"), self.fresh(found)))
            case _:
                node.value.append((self.key(found), self.fresh(found)))

    def sequence(self, node: yaml.SequenceNode, found: list[yaml.Node]) -> None:
        if node.value and self.chance.random() < 0.6:
            node.value[self.chance.randrange(len(node.value))] = self.fresh(found)
        else:
            node.value.append(self.fresh(found))

    def key(self, found: list[yaml.Node]) -> yaml.Node:
        if self.chance.random() < 0.7:
            return yaml.ScalarNode(STR, self.chance.choice(keys()))
        return self.fresh(found)

    def fresh(self, found: list[yaml.Node]) -> yaml.Node:
        match self.chance.randrange(12):
            case 0:
                return self.chance.choice(found)  # an alias
            case 1:
                return yaml.SequenceNode(
                    "tag:yaml.org,2002:seq", [self.fresh(found) for _ in range(self.chance.randint(0, 2))]
                )
            case 2:
                pairs = [(self.key(found), self.fresh(found)) for _ in range(self.chance.randint(0, 2))]
                return yaml.MappingNode("tag:yaml.org,2002:map", pairs)
            case 3:
                node: yaml.Node = yaml.ScalarNode(INT, "9" * self.chance.choice((1, 20, 101, 5000)))
                for _ in range(self.chance.choice((1, 30, 150))):
                    node = yaml.SequenceNode("tag:yaml.org,2002:seq", [node])
                return node
            case 4 | 5:
                return self.tagged(found)
            case 6:
                return yaml.ScalarNode(STR, self.chance.choice(RIGHT))
        word = self.word()
        plain = self.chance.random() < 0.5
        return yaml.ScalarNode(_resolved(word) if plain else STR, word)

    def tagged(self, found: list[yaml.Node]) -> yaml.Node:
        tag = self.chance.choice(TAGS).replace("!!", "tag:yaml.org,2002:")
        if tag == "!command":
            return yaml.SequenceNode(tag, [yaml.ScalarNode(STR, word) for word in ("no-such-program", "x")])
        made: list[yaml.Node] = [
            yaml.ScalarNode(tag, self.word()),
            yaml.SequenceNode(tag, [self.chance.choice(found)]),
            yaml.MappingNode(tag, [(yaml.ScalarNode(STR, "a"), yaml.ScalarNode(STR, "b"))]),
        ]
        return self.chance.choices(made, (4, 1, 1))[0]

    # --- text --------------------------------------------------------------------------------------------------------

    def lines(self, text: str) -> bytes:
        lines = text.splitlines()
        for _ in range(self.chance.choice((0, 0, 0, 1, 2))):
            at = self.chance.randrange(len(lines))
            match self.chance.randrange(4):
                case 0:
                    lines[at] += f" {self.chance.choice(CONNECTION)}={self.word()}"
                case 1:
                    lines[at] = self.word()
                case 2:
                    lines.insert(at, self.chance.choice(LINES))
                case _:
                    lines.insert(at, self.chance.choice(lines))
        data = "\n".join(lines).encode("utf-8", "surrogatepass")
        return self.bytes(data) if self.chance.random() < 0.04 else data

    def bytes(self, data: bytes) -> bytes:
        at = self.chance.randrange(len(data) + 1)
        match self.chance.randrange(8):
            case 0:
                return data[:at]
            case 1:
                return data[:at] + bytes([self.chance.randrange(256)]) + data[at:]
            case 2:
                return b"\xef\xbb\xbf" + data
            case 3:
                return data.decode("utf-8", "replace").encode("utf-16")
            case 4:
                return data.replace(b"  ", b"\t", 1)
            case 5:
                return data[:at] + self.chance.choice(ODD_BYTES) + data[at:]
            case 6:
                return data[:at] + b"[" * self.chance.choice((5, 200, 5000)) + data[at:]
            case _:
                return b"".join(self.chance.sample(list(data.splitlines(keepends=True)), len(data.splitlines())))


def _resolved(word: str) -> str:
    """The tag of a plain word."""
    return str(_Loader("").resolve(yaml.ScalarNode, word, (True, False)))  # type: ignore[no-untyped-call]


def _within(node: yaml.Node) -> list[yaml.Node]:
    """Every node once, whatever refers to what."""
    found: dict[int, yaml.Node] = {}
    waiting = [node]
    while waiting:
        one = waiting.pop()
        if id(one) in found:
            continue
        found[id(one)] = one
        if isinstance(one, yaml.SequenceNode):
            waiting += one.value
        elif isinstance(one, yaml.MappingNode):
            waiting += [n for pair in one.value for n in pair]
    return list(found.values())
