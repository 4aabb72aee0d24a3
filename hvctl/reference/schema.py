"""JSON Schemas of what users write, for editors: of playbooks, inventories, files of variables and price lists."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping

from hvctl.config.connection import TRANSPORTS
from hvctl.config.loops import LOOP
from hvctl.contract import VERSIONS
from hvctl.core.acceptance import KEY as ACCEPT
from hvctl.core.fields import Fields
from hvctl.core.impact import IMPACTS
from hvctl.core.resource import Resource
from hvctl.kinds import sections
from hvctl.metering.bill import ITEMS
from hvctl.reference.item import Item, items
from hvctl.reference.meanings import meanings
from hvctl.reference.shape import TEMPLATE, Schema, either, field_shape, mapping
from hvctl.reference.variables import OTHERS, VARIABLES, Variable, model_of

_DRAFT = "http://json-schema.org/draft-07/schema#"
"""The newest that the language servers of all editors read."""
_EXPRESSION = {
    "type": "string",
    "pattern": r"\{\{|\{%",
    "description": "An expression, evaluated with the variables of the host.",
}
_ANY_SECRET: Schema = {"type": ["string", "array", "object", "integer"]}
"""Plain, an expression, or what !env, !keyring, !command and !vault hold."""


def _word_list(words: tuple[str, ...]) -> Schema:
    listed = "|".join(words)
    return either(
        [
            {"type": "array", "items": {"enum": list(words)}},
            {"type": "string", "pattern": rf"^\s*({listed})(\s*,\s*({listed}))*\s*$"},
        ]
    )


_TEXTS: Schema = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
_ACCEPTANCE = mapping(
    {
        "until": either(
            [{"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$", "description": "The last day."}, TEMPLATE]
        ),
        "reason": {"type": "string", "minLength": 1, "description": "Why, for who reads the report."},
        "fields": {**_TEXTS, "description": "Only these fields, dotted where nested."},
    },
    ["until", "reason"],
)
_ACCEPT: Schema = {
    "description": meanings()["Item"]["accept"].text,
    "anyOf": [_ACCEPTANCE, {"type": "array", "items": _ACCEPTANCE}, TEMPLATE],
}
_LOOP: Schema = {
    "description": meanings()["Item"]["loop"].text,
    "anyOf": [{"type": "array"}, TEMPLATE],
    "examples": ["{{ range(1, 5) }}"],
}
_BATCH: Schema = {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": "^[0-9]+%?$"}]}
_PLAY: Mapping[str, Schema] = {
    "name": {"type": ["string", "integer", "null"]},
    "hosts": {
        "anyOf": [{"type": "string", "minLength": 1}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]
    },
    "vars": {"type": ["object", "null"]},
    "vars_files": _TEXTS,
    "tags": _TEXTS,
    "allow": _word_list(IMPACTS[1:]),
    "restarts_at_once": {
        "anyOf": [
            {"type": "integer", "minimum": 1},
            {
                "type": "object",
                "properties": {key: {"type": "integer", "minimum": 1} for key in ("play", "cluster")},
                "additionalProperties": False,
                "minProperties": 1,
            },
        ]
    },
    "serial": {"anyOf": [*_BATCH["anyOf"], {"type": "array", "items": _BATCH, "minItems": 1}]},
}
"""The keys of a play itself. They are read before there are variables: no expressions."""


def playbook_schema() -> Schema:
    definitions: dict[str, Schema] = {"template": _EXPRESSION}
    play = {
        **{name: _described(_item(name), shape) for name, shape in _PLAY.items()},
        **_sections(None, (), definitions),
    }
    return {
        "$schema": _DRAFT,
        "title": "hvctl playbook",
        "type": "array",
        "items": mapping(play, ["hosts"], "A play: which hosts, and what is desired of them."),
        "definitions": dict(sorted(definitions.items())),
    }


def _sections(within: str | None, above: tuple[str, ...], definitions: dict[str, Schema]) -> dict[str, Schema]:
    found: dict[str, Schema] = {}
    for section, kind in sorted(sections(within).items()):
        _define(kind, (*above, section), definitions)
        one: Schema = {"$ref": f"#/definitions/{kind.__name__}"}
        if kind.shorthand:
            one = either([one, {"type": "string", "minLength": 1}])
        allowed = [{"type": ["array", "null"], "items": either([one, TEMPLATE])} if kind.many else one, TEMPLATE]
        found[section] = _described(_item(".".join((*above, section))), either(allowed))
    return found


def _beneath(kind: type[Resource]) -> dict[str, Schema]:
    """Sections of what stands by itself that may be written within it; they are defined where they stand by themselves."""
    found: dict[str, Schema] = {}
    for section, part in sections(None).items():
        if section in kind.beneath:
            one: Schema = {"$ref": f"#/definitions/{part.__name__}"}
            shape = either([{"type": ["array", "null"], "items": either([one, TEMPLATE])}, TEMPLATE])
            found[section] = _described(_item(section), shape)
    return found


def _define(kind: type[Resource], path: tuple[str, ...], definitions: dict[str, Schema]) -> None:
    """The kind, what stands in it, and the mappings among its fields."""
    own = _properties(kind, path, definitions)
    required = [i.alias or n for n, i in kind.model_fields.items() if i.is_required()]
    text = _item(".".join(path)).means
    own |= {ACCEPT: _ACCEPT, **({LOOP: _LOOP} if kind.many else {})}
    within = {**_sections(kind.kind, path, definitions), **_beneath(kind)}
    definitions[kind.__name__] = mapping({**own, **within}, required, text)


def _properties(model: type[Fields], path: tuple[str, ...], definitions: dict[str, Schema]) -> dict[str, Schema]:
    found: dict[str, Schema] = {}
    for name, info in model.model_fields.items():
        written = info.alias or name
        item = _item(".".join((*path, written)))
        found[written] = _described(item, field_shape(info))
        default = None if info.is_required() or info.default_factory is not None else info.default
        if default is not None:
            found[written]["default"] = default
        if (inner := item.inner) is not None and inner.__name__ not in definitions:
            definitions[inner.__name__] = {}  # it may stand within itself
            required = [i.alias or n for n, i in inner.model_fields.items() if i.is_required()]
            properties = _properties(inner, item.path, definitions)
            definitions[inner.__name__] = mapping(properties, required, (inner.__doc__ or "").strip())
    return found


def _item(name: str) -> Item:
    return next(item for item in items() if item.name == name)


def _described(item: Item, shape: Schema) -> Schema:
    found: Schema = {"description": "\n".join(_lines(item)), **shape}
    if item.example is not None:
        found["examples"] = [item.example]
    return found


def _lines(item: Item) -> Iterator[str]:
    """What an editor shows beside a key."""
    yield f"{item.means[:1].upper()}{item.means[1:]}".rstrip(".") + "."
    if item.info is None:
        return
    yield f"Value: {item.value.replace('mapping:', 'mapping')}."
    if item.unit:
        yield f"Unit: {item.unit}."
    if item.impact != "see kind":
        yield f"A change: {item.impact}."
    if item.versions:
        yield f"{item.versions}."
    if item.cmdlet:
        yield f"{item.cmdlet}"


# --- inventories --------------------------------------------------------------------------------------------------


def inventory_schema() -> Schema:
    """Groups of hosts, as Ansible writes them. Names that begin with hvctl_ or ansible_winrm_ are hvctl's: others of them
    are refused. All else is anybody's variable."""
    group = {"$ref": "#/definitions/group"}
    nothing: Schema = {"type": "null"}
    hosts = {"type": ["object", "null"], "additionalProperties": either([nothing, {"$ref": "#/definitions/variables"}])}
    children = {"type": ["object", "null"], "additionalProperties": either([nothing, group])}
    return {
        "$schema": _DRAFT,
        "title": "hvctl inventory",
        "type": "object",
        "additionalProperties": either([nothing, group]),
        "definitions": {
            "group": mapping(
                {
                    "hosts": {
                        "description": "Hosts by name, with variables of their own; ranges as hv[01:04].",
                        **hosts,
                    },
                    "children": {"description": "Groups within it.", **children},
                    "vars": either([nothing, {"$ref": "#/definitions/variables"}]),
                },
                text="A group of hosts.",
            ),
            **_variable_definitions(),
        },
    }


def variables_schema() -> Schema:
    """Of a file in group_vars or host_vars."""
    return {
        "$schema": _DRAFT,
        "title": "hvctl variables",
        "anyOf": [{"type": "null"}, {"$ref": "#/definitions/variables"}],
        "definitions": _variable_definitions(),
    }


def _variable_definitions() -> dict[str, Schema]:
    known = {name: _variable(name, about) for name, about in VARIABLES.items()}
    return {
        "template": _EXPRESSION,
        "variables": {
            "type": "object",
            "properties": known,
            "patternProperties": {"^(?!hvctl_|ansible_winrm_)": {}, **{f"^{name}$": {} for name in OTHERS}},
            "additionalProperties": False,
        },
    }


def _variable(name: str, about: Variable) -> Schema:
    found: Schema = {"description": f"{about.means[:1].upper()}{about.means[1:]}."}
    if about.secret:
        return {**found, **_ANY_SECRET}
    return {**found, **either([*_variable_shapes(name, about), {"type": "null"}, TEMPLATE])}


def _variable_shapes(name: str, about: Variable) -> Iterator[Schema]:
    info = model_of(name)
    if info is not None:
        found = field_shape(info)
        yield from found.get("anyOf", [found])
        return
    match about.kind:
        case "port":
            yield {"type": "integer", "minimum": 1, "maximum": 65_535}
            yield {"type": "string", "pattern": "^[0-9]+$"}
        case "transport":
            words = "|".join((*TRANSPORTS, "plaintext", "ssl"))
            yield {"enum": [*TRANSPORTS, "plaintext", "ssl"]}
            yield {"type": "array", "items": {"type": "string"}}
            yield {"type": "string", "pattern": rf"^\s*({words})(\s*,\s*({words}))+\s*$"}
        case "os":
            yield {"enum": list(VERSIONS)}
            yield {"type": "integer", "enum": [int(v) for v in VERSIONS if v.isdigit()]}
        case "mapping":
            yield {"type": "object", "additionalProperties": {"type": ["string", "integer"]}}
        case "text":
            yield {"type": ["string", "integer"]}
        case _:
            yield {"enum": about.kind.split("|")}


# --- price lists ----------------------------------------------------------------------------------------------------


def prices_schema() -> Schema:
    price = {"type": "number", "minimum": 0}
    prices = mapping({name: {**price, "description": f"For each {name.replace('_', ' ')}."} for name in ITEMS})
    return {
        "$schema": _DRAFT,
        "title": "hvctl price list",
        **mapping(
            {
                "currency": {"type": "string", "pattern": "^[A-Z]{3}$", "description": "The code of ISO 4217."},
                "decimals": {"type": "integer", "minimum": 0, "maximum": 6, "default": 2},
                "provider": {"type": ["string", "integer"], "description": "Who bills."},
                "account": {"type": ["string", "integer"], "description": "What is billed to."},
                "time_zone": {"type": "string", "default": "UTC", "description": "In which days and months begin."},
                "prices": prices,
                "owners": {"type": ["object", "null"], "additionalProperties": prices,
                           "description": "Other prices of some owners."},
            },
            ["currency", "prices"],
        ),
    }  # fmt: skip


SCHEMAS: Mapping[str, Callable[[], Schema]] = {
    "playbook": playbook_schema,
    "inventory": inventory_schema,
    "variables": variables_schema,
    "prices": prices_schema,
}


def schema_text(name: str) -> str:
    return json.dumps(SCHEMAS[name](), ensure_ascii=False, indent=1) + "\n"
