"""Inventories that nobody would write, from a seed: groups within groups, all forms, several sources, patterns."""

from __future__ import annotations

import json
import random
from typing import Any

from tests.ansible.compared import Case, Pattern

GROUPS = ("lab", "tokyo", "kyoto", "db", "web", "all", "ungrouped", "edge")
HOSTS = ("hv01", "hv02", "hv03", "hv[04:06]", "db1", "web1.lab", "192.0.2.5", "n[a:c]", "hv07:5985", "fd00::5")
NAMES = ("x", "y", "ansible_user", "ansible_host", "nested", "ansible_port")
WORDS = (
    "all", "*", "hv*", "lab", "tokyo", "kyoto", "db", "web", "edge", "hv01", "hv0?", "hv0[1-3]*", "*.lab", "~hv0[12]",
    "~(lab|db)", "ungrouped", "192.0.2.5", "fd00::5", "n*", "[lw]*", "nobody",
)  # fmt: skip
SUBSCRIPTS = ("[0]", "[-1]", "[1]", "[0:1]", "[1:]", "[0:0]", "[2:0]", "[1-2]", "[9]", "[7:9]", "[:1]", "[-1:]")


def random_case(seed: int) -> Case:
    chance = random.Random(seed)
    files: dict[str, str] = {}
    sources: list[str] = []
    for number in range(chance.choice((1, 1, 1, 2, 3))):
        form = chance.choice(("yml", "ini", "json", "folder"))
        if form == "folder":
            files[f"s{number}/a.yml"], files[f"s{number}/b"] = _yaml(chance), _ini(chance)
            sources.append(f"s{number}")
        else:
            name = f"s{number}/inv.{form}" if chance.random() < 0.5 else f"inv{number}.{form}"
            files[name] = _ini(chance) if form == "ini" else _yaml(chance)
            sources.append(name)
    if chance.random() < 0.2:
        sources.append("hv01,late1:5985,fd00::9,")
    for folder in ("", "s0/", "plays/"):
        for kind, names in (("group_vars", GROUPS), ("host_vars", ("hv01", "hv04", "db1"))):
            for name in chance.sample(names, 2):
                end = chance.choice(("", ".yml", ".yaml", ".json", "/a.yml", "/b/c"))
                files.setdefault(f"{folder}{kind}/{name}{end}", json.dumps(_variables(chance)))
    return Case(
        f"random_{seed}",
        {n: t for n, t in files.items() if not any(o.startswith(f"{n}/") for o in files)},
        tuple(sources),
        tuple(_pattern(chance) for _ in range(25)),
        playbooks="plays" if chance.random() < 0.5 else "",
    )


def _variables(chance: random.Random) -> dict[str, Any]:
    return {name: _value(chance, name) for name in chance.sample(NAMES, chance.randint(1, 3))}


def _value(chance: random.Random, name: str) -> Any:
    if name == "ansible_port":
        return chance.choice((5985, 5986, 5990))
    if name == "nested":
        return {"list": [1, {"a": None}], "text": "{{ x | default('none') }}", "n": chance.randint(0, 9)}
    if name == "ansible_host":
        return chance.choice(("192.0.2.1", "{{ inventory_hostname }}.lab"))
    if name == "ansible_user":
        return chance.choice(("u", "CORP\\svc", "u_{{ x | default('y') }}"))
    return chance.choice((f"v{chance.randint(0, 99)}", chance.randint(0, 99), True, "two words", 'it\'s "so"'))


def _yaml(chance: random.Random) -> str:
    data: dict[str, Any] = {}
    for name in chance.sample(GROUPS, chance.randint(1, 5)):
        data[name] = _group(chance, 0, GROUPS.index(name))
    return json.dumps(data, indent=1)


def _group(chance: random.Random, depth: int, rank: int) -> dict[str, Any] | None:
    """Children rank after their parents, so that no circle comes about; all may be above any."""
    found: dict[str, Any] = {}
    keys = ["hosts", "vars", "children"]
    chance.shuffle(keys)
    below = [g for g in GROUPS if GROUPS.index(g) > rank and g not in ("all", "ungrouped")]
    for key in keys:
        if chance.random() < 0.3:
            continue
        if key == "hosts":
            found[key] = {h: _some(chance) for h in chance.sample(HOSTS, chance.randint(0, 4))}
        elif key == "vars":
            found[key] = _variables(chance)
            if chance.random() < 0.2:
                found[key]["ansible_group_priority"] = chance.choice((1, 2, "10"))
        elif depth < 3 and below:
            names = chance.sample(below, min(len(below), chance.randint(0, 3)))
            found[key] = {name: _group(chance, depth + 1, GROUPS.index(name)) for name in names}
    return found or None


def _some(chance: random.Random) -> dict[str, Any] | None:
    return _variables(chance) if chance.random() < 0.4 else None


def _ini(chance: random.Random) -> str:
    """Sections in any order: children may be named before they are defined."""
    names = chance.sample([g for g in GROUPS if g != "all"], chance.randint(1, 5))
    sections = []
    for name in names:
        sections.append([f"[{name}]", *(h + _beside(chance) for h in chance.sample(HOSTS, chance.randint(0, 4)))])
        if chance.random() < 0.4:
            sections.append([f"[{name}:vars]", *(f"{k}={v!r}" for k, v in _variables(chance).items())])
        below = [n for n in names if GROUPS.index(n) > GROUPS.index(name) and n != "ungrouped"]
        if below and chance.random() < 0.6:
            sections.append([f"[{name}:children]", *chance.sample(below, chance.randint(1, len(below)))])
    chance.shuffle(sections)
    lines = [chance.choice(("lonely", "hv01", "# nothing")), *(line for section in sections for line in section)]
    return "\n".join(lines) + "\n"


def _beside(chance: random.Random) -> str:
    if chance.random() < 0.6:
        return ""
    return "".join(f" {k}={json.dumps(str(v))}" for k, v in _variables(chance).items() if k != "nested")


def _pattern(chance: random.Random) -> Pattern:
    words = [_word(chance) for _ in range(chance.choice((1, 1, 1, 2, 2, 3)))]
    limit = _word(chance) if chance.random() < 0.2 else None
    if chance.random() < 0.2:
        return words, limit
    return chance.choice((",", ":", ", ")).join(words), limit


def _word(chance: random.Random) -> str:
    word = chance.choice(WORDS)
    if not word.startswith("~") and chance.random() < 0.4:
        word += chance.choice(SUBSCRIPTS)
    return chance.choice(("", "", "", "&", "!")) + word
