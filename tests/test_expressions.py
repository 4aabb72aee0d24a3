"""Expressions: what variables are in them, what fields see, and every filter beside Ansible's own."""

from __future__ import annotations

import copy
import json
import os
import pickle
import random
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hvctl.config.controlnode import ControlNode
from hvctl.config.inventory import Inventory
from hvctl.config.playbook import read_playbook, wishes
from hvctl.config.template import render
from hvctl.text.diagnostic import ConfigError, Mark
from hvctl.text.scalars import Given, Written, meant
from hvctl.text.source import load_text
from tests import requirements

VARIABLES = r"""
no_word: no
on_word: On
text_no: "no"
tagged: !!str no
octal: 0644
not_octal: 08
new_octal: 0o644
sexagesimal: 1:30
mac: 10:15:50:01:02:03
exponent: 1e3
long_exponent: 1.5e+3
infinite: .inf
binary: 0b101
grouped: 1_000
none: ~
day: 2024-01-02
time: 2024-01-02 03:04:05
zone: 2001-12-14t21:59:43.10-05:00
version: 1.10
keys: {yes: 1, 80: x, 1.5: y}
nested: "{{ no_word }}"
text: abc
list: [1, 2]
names: [b, A, a]
map: {a: 1, l: [1], n: {x: 1, y: [1]}}
map2: {l: [2, 1], n: {y: [2]}, z: 9}
rows: [{a: 1}, {a: 0}, {b: 2}]
lines: "x=1\ny=2"
windows: 'C:\VMs\web01'
"""
ERROR = "!"
"""What Ansible refuses too."""
TABLE: list[tuple[str, Any]] = [
    # What a plain scalar is in an expression.
    ("{{ 'on' if no_word else 'off' }}", "off"), ("{{ 'on' if on_word else 'off' }}", "on"),
    ("{{ 'on' if text_no else 'off' }}", "on"), ("{{ 'on' if tagged else 'off' }}", "on"),
    ("{{ 'on' if nested else 'off' }}", "off"), ("x{{ no_word }}", "xFalse"), ("x{{ octal }}", "x420"),
    ("{{ octal + 0 }}", 420), ("{{ not_octal + 'x' }}", "08x"), ("{{ new_octal + 'x' }}", "0o644x"),
    ("{{ sexagesimal + 0 }}", 90), ("{{ mac + 0 }}", 7981203723), ("{{ exponent + 'x' }}", "1e3x"),
    ("{{ long_exponent + 0 }}", 1500.0), ("x{{ infinite }}", "xinf"), ("{{ binary + 0 }}", 5), ("{{ grouped + 0 }}", 1000),
    ("x{{ none }}y", "xy"), ("x{{ day }}", "x2024-01-02"), ("x{{ time }}", "x2024-01-02 03:04:05"),
    ("x{{ zone }}", "x2001-12-14 21:59:43.100000-05:00"), ("{{ day.year }}", 2024), ("x{{ version }}", "x1.1"),
    ("{{ keys[80] }}", "x"), ("{{ keys['80'] }}", ERROR), ("{{ keys[true] }}", 1), ("{{ keys | dict2items | first }}",
     {"key": True, "value": 1}),
    # The types of results.
    ("{{ list }}", [1, 2]), ("{{ list }}\n", [1, 2]), ("{{ text }}\n", "abc\n"), ("{{ list }}\n\n", "[1, 2]\n\n"),
    (" {{ list }}", " [1, 2]"), ("{{ (1, 2) }}", [1, 2]), ("{{ map.keys() }}", ["a", "l", "n"]), ("{{ none }}", None),
    ("{{ 1 }}{{ 2 }}", "12"), ("{# c #}{{ list }}", [1, 2]), ("{% set q = 5 %}{{ q }}", 5), ("{{ '5' | int + 1 }}", 6),
    ("{{ 'a\\1b' }}", "a\\1b"), ("{{ windows }}", r"C:\VMs\web01"), ("{{ {'a': none} }}b", "{'a': None}b"),
    # What is undefined.
    ("{{ nope }}", ERROR), ("{{ nope.a.b }}", ERROR), ("{{ [nope] }}", ERROR), ("{{ nope or 1 }}", ERROR),
    ("{{ nope == 1 }}", ERROR), ("{{ nope | bool }}", ERROR), ("{{ nope | to_json }}", ERROR), ("{{ nope | join }}", ERROR),
    ("{{ nope.a is defined }}", False), ("{{ nope is undefined }}", True), ("{{ map.q.r | default('x') }}", "x"),
    ("{{ nope.a.b | default('x') }}", "x"), ("{{ map | combine(nope) }}", ERROR),
    ("{{ rows | map(attribute='a') | select('defined') }}", [1, 0]), ("{{ rows | map(attribute='a') | map('default', 7) }}",
     [1, 0, 7]), ("{{ rows | map(attribute='a') | first }}", 1), ("{{ rows | map(attribute='a') | last | default(3) }}", 3),
    ("x{{ rows | map(attribute='a') }}", ERROR), ("{{ rows | map(attribute='a') | join }}", ERROR),
    ("{{ rows | map(attribute='a') | list | length }}", ERROR), ("{{ nope | to_json | default('q') }}", "q"),
    ("{{ {'a': nope} | to_json | default('q') }}", "q"), ("{{ [nope] | list | default(1) }}", 1),
    ("{{ nope | length | default(0) }}", 0), ("{{ text | replace(nope, 'b') | default(1) }}", 1), ("{{ 'x' ~ nope }}", ERROR),
    ("{{ nope is mapping }}", ERROR), ("{{ nope is match('a') }}", ERROR), ("{{ nope | ternary(1, 2) }}", ERROR),
    ("{{ true | ternary(1, nope) }}", 1), ("a{{ 5 if false }}", "a"), ("{{ [nope, 1] | select('defined') }}", [1]),
    ("{{ list | to_yaml }}\n", "[1, 2]\n"), ("{{ list | to_yaml }}\n\n", "[1, 2]\n\n"),
    ("x{{ list | to_yaml }}\n", "x[1, 2]\n"), ("{{ list | selectattr('a') | default(5) }}", 5),
    ("{{ nope | ternary(1, 2) | default(5) }}", 5),
    # Filters.
    ("{{ 'no' | bool }}", False), ("{{ 'YES' | bool }}", True), ("{{ 1 | bool }}", True), ("{{ 'maybe' | bool }}", False),
    ("{{ 2 | bool }}", False), ("{{ none | bool }}", False), ("{{ 1.0 | bool }}", True), ("{{ list | bool }}", False),
    ("{{ '1.5' | int }}", 1), ("{{ 'x' | int }}", 0), ("{{ '0x1f' | int(base=16) }}", 31), ("{{ 'x' | int(7) }}", 7),
    ("{{ '1.5' | float }}", 1.5), ("{{ 'x' | float }}", 0.0), ("{{ '' | default('d') }}", ""),
    ("{{ '' | default('d', true) }}", "d"), ("{{ nope | default }}", ""), ("{{ nope | d(5) }}", 5),
    ("{{ text | mandatory }}", "abc"), ("{{ nope | mandatory }}", ERROR), ("{{ nope | mandatory('say') }}", ERROR),
    ("{{ true | ternary('a', 'b') }}", "a"), ("{{ none | ternary('a', 'b', 'c') }}", "c"),
    ("{{ none | ternary('a', 'b') }}", "b"), ("{{ 'no' | ternary('a', 'b') }}", "a"), ("{{ no_word | ternary(1, 2) }}", 2),
    ("{{ 5 | lower }}", "5"), ("{{ none | upper }}", "NONE"), ("{{ 'a.b' | replace('.', '') }}", "ab"),
    ("{{ 'aaa' | replace('a', 'b', 2) }}", "bba"), ("{{ 5 | replace('5', '6') }}", "6"),
    ("{{ 'aXbX' | regex_replace('x', 'y') }}", "aXbX"), ("{{ 'aXbX' | regex_replace('x', 'y', ignorecase=True) }}", "ayby"),
    ("{{ 'aXbX' | regex_replace('X', 'y', count=1) }}", "aybX"),
    ("{{ lines | regex_replace('^', '> ', multiline=True) }}", "> x=1\n> y=2"),
    ("{{ 'hv01.lab' | regex_replace('^(.*)\\.lab$', '\\1') }}", "hv01"), ("{{ 5 | regex_replace('5', 'x') }}", "x"),
    ("{{ 'abc' | regex_replace('(?P<q>b)', '<\\g<q>>') }}", "a<b>c"),
    ("{{ 'a' | regex_replace('z', 'q', mandatory_count=1) }}", ERROR),
    ("{{ windows | regex_replace('\\\\', '/') }}", "C:/VMs/web01"),
    ("{{ text | regex_search('b.') }}", "bc"), ("{{ text | regex_search('z') }}", None), ("{{ 5 | regex_search('5') }}", "5"),
    ("{{ text | regex_search('(b)(c)', '\\1', '\\2') }}", ["b", "c"]), ("{{ text | regex_search('B') }}", None),
    ("{{ text | regex_search('(?P<n>b)', '\\g<n>') }}", ["b"]), ("{{ text | regex_search('B', ignorecase=true) }}", "b"),
    ("{{ text | regex_search('(z)', '\\1') }}", None), ("{{ lines | regex_search('^y.*$', multiline=true) }}", "y=2"),
    ("{{ text | regex_search('b', 'x') }}", ERROR),
    ("{{ 'a b' | split }}", ["a", "b"]), ("{{ 'a,b,c' | split(',', 1) }}", ["a", "b,c"]), ("{{ 5 | split }}", ERROR),
    ("{{ list | join('-') }}", "1-2"), ("{{ [none, true, 'x'] | join(',') }}", "None,True,x"),
    ("{{ rows[:2] | join(',', attribute='a') }}", "1,0"),
    ("{{ 'abc' | list }}", ["a", "b", "c"]), ("{{ map | list }}", ["a", "l", "n"]),
    ("{{ [1, '1', 1, 'a', 'A'] | unique }}", [1, "1", "a"]), ("{{ ['a', 'A'] | unique(case_sensitive=true) }}", ["a", "A"]),
    ("{{ [{'a': 1}, {'a': 1}] | unique }}", [{"a": 1}]), ("{{ [{'a': 1}, {'a': 1}] | unique(case_sensitive=false) }}", ERROR),
    ("{{ [{'a': 1, 'b': 1}, {'a': 1}] | unique(attribute='a') }}", [{"a": 1, "b": 1}]),
    ("{{ names | sort }}", ["A", "a", "b"]), ("{{ names | sort(case_sensitive=true) }}", ["A", "a", "b"]),
    ("{{ [2, 1, 3] | sort(reverse=true) }}", [3, 2, 1]), ("{{ [{'a': 2}, {'a': 1}] | sort(attribute='a') }}",
     [{"a": 1}, {"a": 2}]), ("{{ [1, 'a'] | sort }}", ERROR),
    ("{{ list | first }}", 1), ("{{ list | last }}", 2), ("{{ [] | first }}", ERROR), ("{{ [] | last }}", ERROR),
    ("{{ [] | first | default('e') }}", "e"), ("{{ map | first }}", "a"), ("{{ 'abc' | last }}", "c"),
    ("{{ list | length }}", 2), ("{{ 5 | length }}", ERROR), ("{{ list | map('int') | length }}", 2),
    ("{{ names | map('upper') }}", ["B", "A", "A"]), ("{{ rows[:2] | map(attribute='a') }}", [1, 0]),
    ("{{ rows | map(attribute='a', default=7) }}", [1, 0, 7]), ("{{ rows | map(attribute='a') | list }}", ERROR),
    ("{{ list | map('nope') }}", ERROR), ("{{ ['a.b'] | map('regex_replace', '\\..*', '') }}", ["a"]),
    ("{{ [0, 1] | select }}", [1]), ("{{ [1, 2, 3] | select('odd') }}", [1, 3]), ("{{ [1] | select('nope') }}", ERROR),
    ("{{ ['ab', 'c'] | select('match', 'a') }}", ["ab"]), ("{{ ['ab', 'c'] | select('search', 'b') }}", ["ab"]),
    ("{{ [1, 2] | select('in', [2]) }}", [2]), ("{{ rows[:2] | selectattr('a') }}", [{"a": 1}]),
    ("{{ rows | selectattr('a', 'defined') }}", [{"a": 1}, {"a": 0}]),
    ("{{ rows[:2] | selectattr('a', 'equalto', 0) }}", [{"a": 0}]), ("{{ rows | selectattr('a', 'equalto', 0) }}", ERROR),
    ("{{ map | combine(map2) }}", {"a": 1, "l": [2, 1], "n": {"y": [2]}, "z": 9}),
    ("{{ map | combine(map2, recursive=true) }}", {"a": 1, "l": [2, 1], "n": {"x": 1, "y": [2]}, "z": 9}),
    ("{{ map | combine(map2, recursive=true, list_merge='append') }}",
     {"a": 1, "l": [1, 2, 1], "n": {"x": 1, "y": [1, 2]}, "z": 9}),
    ("{{ map | combine(map2, recursive=true, list_merge='keep') }}", {"a": 1, "l": [1], "n": {"x": 1, "y": [1]}, "z": 9}),
    ("{{ map | combine(map2, list_merge='append_rp') }}", {"a": 1, "l": [2, 1], "n": {"y": [2]}, "z": 9}),
    ("{{ map | combine(map2, list_merge='prepend') }}", {"a": 1, "l": [2, 1, 1], "n": {"y": [2]}, "z": 9}),
    ("{{ {'l': [1, 3]} | combine(map2, list_merge='prepend_rp') }}", {"l": [2, 1, 3], "n": {"y": [2]}, "z": 9}),
    ("{{ map | combine(map2, list_merge='bad') }}", ERROR), ("{{ [map, map2] | combine }}",
     {"a": 1, "l": [2, 1], "n": {"y": [2]}, "z": 9}), ("{{ map | combine([{'a': 2}, {'a': 3}]) }}",
     {"a": 3, "l": [1], "n": {"x": 1, "y": [1]}}), ("{{ map | combine(5) }}", ERROR),
    ("{{ {'a': 1} | dict2items }}", [{"key": "a", "value": 1}]), ("{{ 5 | dict2items }}", ERROR),
    ("{{ {'a': 1} | dict2items(key_name='k', value_name='v') }}", [{"k": "a", "v": 1}]),
    ("{{ [{'key': 'a', 'value': 1}] | items2dict }}", {"a": 1}), ("{{ [{'k': 'a'}] | items2dict }}", ERROR),
    ("{{ [{'k': 'a', 'v': 1}] | items2dict('k', 'v') }}", {"a": 1}), ("{{ 5 | items2dict }}", ERROR),
    ("{{ map | to_json }}", '{"a": 1, "l": [1], "n": {"x": 1, "y": [1]}}'), ("{{ 'é日' | to_json }}", r'"\u00e9\u65e5"'),
    ("{{ 'é' | to_json(ensure_ascii=false) }}", '"é"'), ("{{ {'a': 1} | to_json(indent=2) }}", '{\n  "a": 1\n}'),
    ("{{ {'b': 1, 'a': 2} | to_json(sort_keys=true) }}", '{"a": 2, "b": 1}'), ("{{ none | to_json }}", "null"),
    ("{{ keys | to_json(sort_keys=true) }}", '{"1.5": "y", "80": "x", "true": 1}'),
    ("{{ [1, 2] | to_json(separators=(',', ':')) }}", "[1,2]"), ("{{ day | to_json }}", '"2024-01-02"'),
    ("{{ time | to_json }}", '"2024-01-02T03:04:05"'), ("{{ map.keys() | to_json }}", '["a", "l", "n"]'),
    ("{{ '{\"a\": [1]}' | from_json }}", {"a": [1]}), ("{{ '{bad' | from_json }}", ERROR),
    ("{{ map | to_yaml }}", "a: 1\nl: [1]\nn:\n  x: 1\n  y: [1]\n"), ("{{ 'é' | to_yaml }}", "é\n"),
    ("{{ map | to_yaml(indent=4) }}", "a: 1\nl: [1]\nn:\n    x: 1\n    y: [1]\n"), ("{{ [] | to_yaml }}", "[]\n"),
    ("{{ map | to_yaml(default_flow_style=false) }}", "a: 1\nl:\n- 1\nn:\n  x: 1\n  y:\n  - 1\n"),
    ("{{ {'b': 'no', 'a': none, 't': true} | to_yaml }}", "{a: null, b: 'no', t: true}\n"),
    ("{{ {'b': 1, 'a': 2} | to_yaml(sort_keys=false) }}", "{b: 1, a: 2}\n"), ("{{ day | to_yaml }}", "2024-01-02\n"),
    ("{{ [text * 40] | to_yaml(width=20) }}", "[" + "abc" * 40 + "]\n"), ("{{ lines | to_yaml }}", "'x=1\n\n  y=2'\n"),
    ("{{ 'a: no' | from_yaml }}", {"a": False}), ("{{ '[0644, 1e3]' | from_yaml }}", [420, "1e3"]),
    ("{{ '' | from_yaml }}", None), ("{{ ': :' | from_yaml }}", ERROR), ("{{ none | from_yaml }}", None),
    ("{{ 'é' | b64encode }}", "w6k="), ("{{ 'é' | b64encode(encoding='utf-16-le') }}", "6QA="),
    ("{{ 'w6k=' | b64decode }}", "é"), ("{{ 'w6k' | b64decode }}", ERROR), ("{{ '6QA=' | b64decode('utf-16-le') }}", "é"),
    ("{{ 'x' | hash }}", "11f6ad8ec52a2984abaafd7c3b516503785c2072"), ("{{ 'x' | hash('nope') }}", ERROR),
    ("{{ 'x' | hash('md5') }}", "9dd4e461268c8034f5c8564e155c67a6"),
    ("{{ 'x' | hash('sha256') }}", "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"),
    ("{{ text | ansible.builtin.upper }}", "ABC"), ("{{ text | ansible.builtin.b64encode }}", "YWJj"),
    # Tests.
    ("{{ text is match('a') }}", True), ("{{ text is match('b') }}", False), ("{{ text is search('c$') }}", True),
    ("{{ text is regex('B', ignorecase=true) }}", True), ("{{ list is contains(1) }}", True),
    ("{{ [1] is subset(list) }}", True),
    ("{{ list is superset([1]) }}", True), ("{{ [true, false] is all }}", False), ("{{ [false, true] is any }}", True),
    ("{{ 'no' is truthy(convert_bool=true) }}", False), ("{{ 'no' is truthy }}", True), ("{{ '' is falsy }}", True),
]  # fmt: skip
ADDRESSES: list[tuple[str, Any]] = [
    (f"{{{{ '{value}' | ansible.utils.ipaddr({query!r}) }}}}", answer)
    for value, query, answer in [
        ("192.0.2.10", "", "192.0.2.10"), ("192.0.2.10/24", "", "192.0.2.10/24"), ("x", "", False), ("256.1.1.1", "", False),
        ("192.0.2.10/24", "address", "192.0.2.10"), ("192.0.2.0/24", "address", None),
        ("192.0.2.10/24", "network", "192.0.2.0"),
        ("192.0.2.10/24", "netmask", "255.255.255.0"), ("192.0.2.10/24", "prefix", 24),
        ("192.0.2.10/24", "broadcast", "192.0.2.255"), ("192.0.2.10/24", "subnet", "192.0.2.0/24"),
        ("192.0.2.10/24", "host", "192.0.2.10/24"), ("192.0.2.10/24", "net", None), ("192.0.2.0/24", "net", "192.0.2.0/24"),
        ("192.0.2.0/24", 5, "192.0.2.5/24"), ("192.0.2.0/24", -1, "192.0.2.255/24"), ("192.0.2.0/24", 999, False),
        ("192.0.2.0/24", "first_usable", "192.0.2.1"), ("192.0.2.0/24", "last_usable", "192.0.2.254"),
        ("192.0.2.0/24", "range_usable", "192.0.2.1-192.0.2.254"), ("192.0.2.9/24", "next_usable", "192.0.2.10"),
        ("192.0.2.9/24", "previous_usable", "192.0.2.8"), ("192.0.2.1/31", "peer", "192.0.2.0"),
        ("192.0.2.0/24", "size", 256), ("192.0.2.0/24", "size_usable", 254), ("192.0.2.10", "int", 3221225994),
        ("192.0.2.10/24", "int", "3221225994/24"), ("192.0.2.10/24", "ip/prefix", "192.0.2.10/24"),
        ("192.0.2.10/24", "hostmask", "0.0.0.255"), ("192.0.2.10/24", "type", "address"), ("192.0.2.0/24", "type", "network"),
        ("192.0.2.10", "192.0.2.0/24", "192.0.2.10"), ("192.0.3.10", "192.0.2.0/24", None),
        ("127.0.0.1", "loopback", "127.0.0.1"),
        ("10.0.0.1", "private", "10.0.0.1"), ("8.8.8.8", "private", None), ("8.8.8.8", "public", "8.8.8.8"),
        ("10.0.0.1", "public", None), ("224.0.0.1", "multicast", "224.0.0.1"),
        ("192.0.2.10", "revdns", "10.2.0.192.in-addr.arpa."),
        ("fd00::2", "", "fd00::2"), ("fd00::2/64", "network", "fd00::"), ("fd00::2", "wrap", "[fd00::2]"),
        ("fd00::2/64", "wrap", "[fd00::2]/64"), ("fd00::2", "version", 6), ("192.0.2.10", "ipv6", "::ffff:192.0.2.10/128"),
        ("192.0.2.10", "ipv4", "192.0.2.10"), ("fd00::2", "ipv4", False), ("192.0.2.10", "bool", True),
        ("192.0.2.10/24", "network_netmask", "192.0.2.0 255.255.255.0"), ("fe80::1", "link-local", "fe80::1"),
        ("192.0.2.10/24", "gateway", "192.0.2.10/24"), ("192.0.2.0/24", "gateway", False), ("3221225994", "", "192.0.2.10"),
        ("192.0.2.10", "first_usable", ERROR), ("192.0.2.10", "nonsense", ERROR),
    ]
]  # fmt: skip
TEMPLAR = """
import datetime, json, sys
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader
from ansible.template import Templar
from ansible._internal._datatag._tags import TrustedAsTemplate
init_plugin_loader()
given = json.load(sys.stdin)
variables = DataLoader().load(given["variables"])
variables = {k: TrustedAsTemplate().tag(v) if isinstance(v, str) else v for k, v in variables.items()}
found = []
for text in given["texts"]:
    try:
        found.append(Templar(loader=DataLoader(), variables=variables).template(TrustedAsTemplate().tag(text)))
    except Exception as error:
        found.append("!")
print(json.dumps(found))
"""


def evaluated(text: str, variables: str = VARIABLES) -> Any:
    document = load_text("a: x", "f")
    return meant(render(text, load_text(variables, "v").data, document))


@pytest.mark.parametrize(("text", "value"), [*TABLE])
def test_what_an_expression_is(text: str, value: Any) -> None:
    if value == ERROR:
        with pytest.raises(ConfigError):
            evaluated(text)
    else:
        found = evaluated(text)
        assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(("text", "value"), ADDRESSES)
def test_what_ipaddr_says_of_an_address(text: str, value: Any) -> None:
    test_what_an_expression_is(text, value)


REFUSED = [
    ("{{ 5 | quote }}", "'quote' is not a filter that hvctl has"), ("{{ x | to_jason }}", "did you mean 'to_json'?"),
    ("{{ [1] | map('uper') }}", "'uper' is not a filter that hvctl has; did you mean 'upper'?"),
    ("{{ 5 is nope }}", "'nope' is not a test that hvctl has"), ("{{ 5 is deffined }}", "did you mean 'defined'?"),
    ("{{ 1 if true else 5 | password_hash }}", "'password_hash' is not a filter"),  # in a branch that is not taken
    ("{{ [1] | select('mach', 'a') }}", "'mach' is not a test that hvctl has; did you mean 'match'?"),
    ("{{ lookup('env', 'X') }}", "Ansible's lookups are not run"), ("{{ query('env', 'X') }}", "Ansible's lookups"),
    ("{{ nope | mandatory }}", "'nope' is mandatory and not defined; define it"),
    ("{{ nope | mandatory('say which') }}", "say which"), ("{{ 'x' | hash('sha') }}", "one of blake2b"),
    ("{{ 5 | dict2items }}", "dict2items takes a mapping, not 5"),
    ("{{ '{' | from_json }}", "this is not JSON"), ("{{ 'a' | regex_search('(') }}", "this expression fails"),
    ("{{ [{}] | map(attribute='a') }}", "has no attribute 'a'"), ("{{ 5 if false }}", "no else section"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "said"), REFUSED)
def test_what_is_refused_is_named_with_its_place(text: str, said: str) -> None:
    document = load_text(f"a: 1\nb: {json.dumps(text)}", "lab.yml")
    with pytest.raises(ConfigError) as error:
        render(document.data, {}, document)
    assert str(error.value).startswith("lab.yml:2:4: ")
    assert said in str(error.value)


def test_a_template_of_a_guest_names_an_unknown_filter_at_its_place(tmp_path: Path) -> None:
    (tmp_path / "t.j2").write_text("one\ntwo {{ 5 | trim }} {{ 5 | to_jason }}\n", encoding="utf-8")
    shelf = ControlNode(tmp_path, {}, lambda secret: None)
    with pytest.raises(
        ConfigError, match=r"t.j2:2:27: 'to_jason' is not a filter that hvctl has; did you mean 'to_json'"
    ):
        shelf.rendered("t.j2", {}, Mark("f", 1, 1))
    (tmp_path / "t.j2").write_text("{{ nope | mandatory('say which') }}", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"t.j2:1:1: this template fails: say which; define it"):
        shelf.rendered("t.j2", {}, Mark("f", 1, 1))


def test_ipaddr_without_netaddr_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "netaddr", None)
    with pytest.raises(ConfigError, match=r"needs netaddr; install it: python -m pip install 'hvctl\[ipaddr\]'"):
        evaluated("{{ '192.0.2.1' | ipaddr }}")


# --- what fields see -------------------------------------------------------------------------------------------------

FIELDS = """
wanted: off
word: no
mac: 10:15:50:01:02:03
number: 0644
date: 2024-01-02
truth: true
vm: {state: off, mac: 00:15:5d:01:02:03, 80: no}
states: [on, off]
short: "{{ wanted }}"
shorter: "{{ short }}"
flag: no
vms: [{name: no, state: off}]
quoted: "a"
"""


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("{{ wanted }}", "off"), ("{{wanted}}", "off"), ("{{- wanted -}}", "off"), ("{{ wanted }}\n", "off"),
        ("{{ mac }}", "10:15:50:01:02:03"), ("{{ number }}", "0644"), ("{{ date }}", "2024-01-02"), ("{{ truth }}", True),
        ("{{ vm.state }}", "off"), ("{{ vm['mac'] }}", "00:15:5d:01:02:03"), ("{{ vm[80] }}", "no"), ("{{ states[1] }}", "off"),
        ("{{ states[-2] }}", "on"), ("{{ shorter }}", "off"), ("{{ nope | default(wanted) }}", "off"),
        ("{{ wanted | default('on') }}", "off"), ("{{ nope.a | default('off') }}", "off"),
        ("{{ vm.nope | default(word) }}", "no"),
        ("{{ wanted | default('on', true) }}", "on"), ("{{ wanted | default('on', boolean=true) }}", "on"),
        ("{{ nope | default(default_value=wanted) }}", "off"), ("{{ flag | default(wanted, boolean=false) }}", "no"),
        ("{{ (wanted) }}", "off"), ("{{ wanted | ansible.builtin.default('on') }}", "off"),
        ("{{ 'on' if flag else wanted }}", "off"),
        ("{{ wanted if flag == false else 'on' }}", "off"), ("{{ flag | ternary('on', wanted) }}", "off"),
        ("{{ wanted | mandatory }}", "off"), ("{{ vms }}", [{"name": "no", "state": "off"}]), ("{{ vm }}",
         {"state": "off", "mac": "00:15:5d:01:02:03", "80": "no"}), ("{{ quoted }}\n", "a\n"),
        # What is more than a choice is made of what the variables mean.
        ("x-{{ wanted }}", "x-False"), ("{{ wanted | string }}", None), ("{{ number + 1 }}", 421),
        ("{{ {'state': wanted} }}", {"state": False}),
        ("{{ vm.items() | list }}", [["state", False], ["mac", "00:15:5d:01:02:03"], [80, False]]),
    ],
)  # fmt: skip
def test_a_field_sees_the_word_that_a_variable_holds(text: str, seen: Any) -> None:
    document = load_text("a: x", "f")
    variables = load_text(FIELDS, "v").data
    if seen is None:
        with pytest.raises(ConfigError):
            render(text, variables, document)
    else:
        found = render(text, variables, document)
        assert found == seen
        assert isinstance(found, type(seen))


PLAYBOOK = """
- hosts: all
  vars:
    wanted: off
    mac: 10:15:50:01:02:03
    name: no
    flag: no
  vms:
    - name: "{{ name }}"
      generation: 2
      state: "{{ wanted }}"
      notes: "{{ 'on' if flag else 'off' }}"
      firmware: {secure_boot: "{{ flag }}"}
      network_adapters: [{name: lan, mac_address: "{{ mac }}"}]
    - {name: off, generation: 2, state: off, network_adapters: [{name: lan, mac_address: 10:15:50:01:02:04}]}
"""


def test_a_playbook_sees_words_and_its_expressions_see_what_they_mean(tmp_path: Path) -> None:
    file = tmp_path / "lab.yml"
    file.write_text(PLAYBOOK, encoding="utf-8")
    plays, wrong = read_playbook(file)
    found, problems = wishes(plays, {})
    assert wrong == []
    assert [str(p) for p in problems] == []
    vms = [w.model_dump(exclude_unset=True) for w in found if w.kind == "vm"]
    assert [(vm["name"], vm["state"], vm.get("notes")) for vm in vms] == [("no", "off", "off"), ("off", "off", None)]
    assert [w.model_dump()["secure_boot"] for w in found if w.kind == "firmware"] == [False]
    assert [w.model_dump()["mac_address"] for w in found if w.kind == "network_adapter"] == [
        "101550010203",
        "101550010204",
    ]


def test_a_template_of_a_guest_has_variables_as_they_mean_and_the_vm_as_it_is_written(tmp_path: Path) -> None:
    (tmp_path / "t.j2").write_text("{{ vm.name }} {{ flag }}{{ nothing }}", encoding="utf-8")
    shelf = ControlNode(tmp_path, load_text("{flag: no, nothing: ~}", "v").data, lambda secret: None)
    vm = load_text("{name: no}", "v").data
    assert shelf.rendered("t.j2", {"vm": vm}, Mark("f", 1, 1)).content == b"no False"


def test_a_variable_of_the_command_line_is_text_in_expressions_and_typed_in_fields() -> None:
    given = {n: Given.of(t, load_text(t, "e").data) for n, t in (("flag", "no"), ("count", "4"), ("name", "web"))}
    document = load_text("a: x", "f")
    for text, seen in (("{{ flag }}", "no"), ("{{ count }}", 4), ("{{ 'on' if flag else 'off' }}", "on"),
                       ("{{ count + '0' }}", "40"), ("{{ count | int + 1 }}", 5),
                       ("{{ name }}{{ count }}", "web4")):  # fmt: skip
        assert render(text, given, document) == seen


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("!!int '5'", 5),
        ("!!float 5", 5.0),
        ("!!float '1.5'", 1.5),
        ("!!bool 'yes'", True),
        ("!!str 5", "5"),
        ("!!null ''", None),
    ],
)
def test_a_tag_that_is_written_says_what_a_scalar_is(text: str, value: Any) -> None:
    found = meant(load_text(f"a: {text}", "f").data["a"])
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize("text", ["!!int abc", "!!float nan", "!!bool maybe", "!!null x", "!!timestamp x"])
def test_a_tag_that_does_not_go_with_its_scalar_is_said(text: str) -> None:
    with pytest.raises(ConfigError, match=r"f:1:4: '\w+' is not .*; correct it, or remove !!"):
        load_text(f"a: {text}", "f")


def test_words_survive_copying() -> None:
    word = load_text("a: no", "f").data["a"]
    for copied in (copy.deepcopy(word), pickle.loads(pickle.dumps(word))):
        assert (copied, copied.value, type(copied)) == ("no", False, Written)
    assert json.dumps({"a": word}) == '{"a": "no"}'


# --- beside Ansible --------------------------------------------------------------------------------------------------


LISTED = """
all:
  hosts:
    h:
      word: no
      octal: 0644
      span: 1:30
      day: 2024-01-02
      time: 2024-01-02 03:04:05
      text: 1e3
      within: [off, {a: on}]
      quoted: "no"
"""


def test_the_inventory_lists_what_variables_mean(tmp_path: Path) -> None:
    (tmp_path / "inv.yml").write_text(LISTED, encoding="utf-8")
    found = Inventory.load(tmp_path / "inv.yml").as_list()["_meta"]["hostvars"]["h"]
    assert json.loads(json.dumps(found)) == {
        "word": False, "octal": 420, "span": 90, "day": "2024-01-02", "time": "2024-01-02T03:04:05", "text": "1e3",
        "within": [False, {"a": True}], "quoted": "no",
    }  # fmt: skip


def test_ansible_lists_the_same(tmp_path: Path) -> None:
    (tmp_path / "inv.yml").write_text(LISTED, encoding="utf-8")
    found = Inventory.load(tmp_path / "inv.yml").as_list()["_meta"]["hostvars"]["h"]
    command = [str(requirements.ansible() / "ansible-inventory"), "-i", "inv.yml", "--list"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert json.loads(done.stdout)["_meta"]["hostvars"]["h"] == json.loads(json.dumps(found))


HOSTS = """
all:
  hosts:
    a: {flag: no, name_of: "{{ inventory_hostname }}", both: "{{ flag }}"}
    b: {x: "{{ hostvars['a'].name_of }}"}
"""


def test_variables_of_other_hosts_are_evaluated_for_those(tmp_path: Path) -> None:
    (tmp_path / "inv.yml").write_text(HOSTS, encoding="utf-8")
    inventory = Inventory.load(tmp_path / "inv.yml")
    variables = inventory.variables(inventory.hosts["b"])
    document = load_text("a: x", "f")
    for text, seen in (
        ("{{ x }}", "a"), ("{{ hostvars['a'].both }}", False), ("{{ 'on' if hostvars.a.flag else 'off' }}", "off"),
        ("{{ hostvars['a']['nope'] | default(5) }}", 5), ("{{ hostvars[inventory_hostname].group_names | length }}", 1),
    ):  # fmt: skip
        assert render(text, variables, document) == seen


def ansible_says(texts: list[str]) -> list[Any]:
    done = subprocess.run(
        [requirements.ansible() / "python", "-c", TEMPLAR],
        input=json.dumps({"variables": VARIABLES, "texts": texts}),
        capture_output=True, text=True, check=True, env={**os.environ, "ANSIBLE_DEPRECATION_WARNINGS": "0"},
    )  # fmt: skip
    found: list[Any] = json.loads(done.stdout)
    return found


def scalars(count: int) -> list[str]:
    """Words that look like numbers, times and dates, and some that are."""
    chance = random.Random(20)
    found = ["".join(chance.choices("0123456789:_.-+eExobnyf~TZ", k=chance.randint(1, 9))) for _ in range(count)]
    for _ in range(count // 10):
        day = f"{chance.randint(1990, 2030)}-{chance.randint(0, 14)}-{chance.randint(0, 33)}"
        found.append(day + chance.choice(["", " 23:59:60", "T01:02:03Z", "t1:2:3.5 +09:00"]))
    words = "yes no on off true false null y n ~ .inf .nan nan none".split()
    return found + [form for word in words for form in (word, word.upper(), word.title())]


def test_ansible_reads_plain_scalars_alike() -> None:
    """But for dates that are none: they are an error there, and the text here."""
    texts = scalars(2000)
    found = ansible_reads(texts)
    differing = []
    for text, (kind, shown) in zip(texts, found, strict=True):
        try:
            value = meant(load_text(f"a: {text}", "f").data["a"])
            own = (type(value).__name__, repr(value))
        except ConfigError:
            own = (ERROR, "")
        if own != (kind, shown) and not (kind == ERROR and re.match(r"[0-9]{4}-[0-9]", text) and own[0] == "str"):
            differing.append((text, own, (kind, shown)))
    assert differing == []


READER = """
import json, sys
from ansible.parsing.dataloader import DataLoader
found = []
for text in json.load(sys.stdin):
    try:
        value = DataLoader().load(f"a: {text}")["a"]
        kind = next(k for k in type(value).__mro__ if k.__module__ in ("builtins", "datetime"))
        found.append((kind.__name__, repr(value)))
    except Exception:
        found.append(("!", ""))
print(json.dumps(found))
"""


def ansible_reads(texts: list[str]) -> list[tuple[str, str]]:
    command = [str(requirements.ansible() / "python"), "-c", READER]
    done = subprocess.run(command, input=json.dumps(texts), capture_output=True, text=True, check=True)
    return [(kind, shown) for kind, shown in json.loads(done.stdout)]


def test_ansible_says_the_same() -> None:
    found = ansible_says([text for text, _ in TABLE])
    pairs = zip(TABLE, found, strict=True)
    assert [(text, value, said) for (text, value), said in pairs if (value, type(value)) != (said, type(said))] == []


def test_ansible_says_the_same_of_addresses() -> None:
    found = ansible_says(["{{ '192.0.2.1' | ansible.utils.ipaddr }}", *(text for text, _ in ADDRESSES)])
    if found[0] == ERROR:
        requirements.lacking("ansible.utils")
    pairs = zip(ADDRESSES, found[1:], strict=True)
    assert [(text, value, said) for (text, value), said in pairs if (value, type(value)) != (said, type(said))] == []
