"""The filters and tests of expressions: Ansible's, and those of Jinja2 that Ansible passes on."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from functools import wraps
from typing import Any

import yaml
from jinja2 import Environment, Undefined, UndefinedError, pass_context, pass_environment
from jinja2.filters import FILTERS as JINJA
from jinja2.runtime import Context
from jinja2.tests import TESTS as JINJA_TESTS

from hvctl.config.filter_error import FilterError
from hvctl.config.ipaddr import ipaddr
from hvctl.text.diagnostic import ConfigError
from hvctl.text.scalars import meant
from hvctl.text.source import SecretSource, load_text
from hvctl.text.visible import quoted

_TRUE = ("yes", "on", "true", "1")
_MERGES = ("replace", "keep", "append", "prepend", "append_rp", "prepend_rp")


def _bool(value: Any) -> bool:
    if isinstance(value, str | int):
        return str(value).lower() in _TRUE
    return bool(value == 1)


def _mandatory(value: Any, msg: str | None = None) -> Any:
    if isinstance(value, Undefined):
        name = value._undefined_name
        raise FilterError(
            msg or f"{quoted(name)} is mandatory and not defined", "define it in the inventory or under vars"
        )
    return value


def _ternary(value: Any, true_val: Any, false_val: Any, none_val: Any = None) -> Any:
    if isinstance(value, Undefined):
        return value
    if value is None and none_val is not None:
        return none_val
    return true_val if value else false_val


def _flags(ignorecase: bool, multiline: bool) -> int:
    return (re.IGNORECASE if ignorecase else 0) | (re.MULTILINE if multiline else 0)


def _regex_replace(
    value: Any = "",
    pattern: str = "",
    replacement: str = "",
    ignorecase: bool = False,
    multiline: bool = False,
    count: int = 0,
    mandatory_count: int = 0,
) -> str:
    made, times = re.subn(pattern, replacement, str(value), count=count, flags=_flags(ignorecase, multiline))
    if mandatory_count and times != mandatory_count:
        raise FilterError(f"{quoted(pattern)} must match {mandatory_count} times, and matches {times} times")
    return made


def _regex_search(value: Any, regex: str, *groups: str, ignorecase: bool = False, multiline: bool = False) -> Any:
    r"""The match, or with `\1`, `\g<name>` a list of those groups; none if there is no match."""
    wanted = [re.fullmatch(r"\\(?:g<(\S+)>|(\d+))", g) for g in groups]
    if not all(wanted):
        raise FilterError(
            f"{quoted(groups[wanted.index(None)])} is not a group of a match", r"write '\1' or '\g<name>'"
        )
    found = re.search(regex, str(value), _flags(ignorecase, multiline))
    if found is None:
        return None
    return [found[g[1] or int(g[2])] for g in wanted if g] if groups else found[0]


def _split(value: str, sep: str | None = None, maxsplit: int = -1) -> list[str]:
    if not isinstance(value, str):
        raise FilterError(f"split takes a text, not {quoted(value)}")
    return value.split(sep, maxsplit)


@pass_environment
def _unique(env: Environment, value: Any, case_sensitive: bool | None = None, attribute: Any = None) -> list[Any]:
    try:
        return list(JINJA["unique"](env, value, bool(case_sensitive), attribute))
    except TypeError:
        if case_sensitive is False or attribute:
            raise
        found: list[Any] = []  # mappings and lists have no hash
        for item in value:
            if item not in found:
                found.append(item)
        return found


def _listed(name: str) -> Callable[..., Any]:
    """Jinja2's, but the whole list at once: it can be counted and asked twice."""

    @pass_context
    def made(context: Context, *args: Any, **kwargs: Any) -> Any:
        try:
            return list(JINJA[name](context, *args, **kwargs))
        except UndefinedError as error:  # of an item: a `default` behind it has its say
            return context.environment.undefined(hint=str(error))

    return made


def _combine(*terms: Any, recursive: bool = False, list_merge: str = "replace") -> Any:
    if list_merge not in _MERGES:
        raise FilterError(f"list_merge={quoted(list_merge)} is unknown", f"one of {', '.join(_MERGES)}")
    found: dict[Any, Any] = {}
    for term in _flat(terms):
        if not isinstance(term, Mapping):
            raise FilterError(f"combine takes mappings, not {quoted(term)}")
        found = _merged(found, term, recursive, list_merge)
    return found


def _flat(terms: Iterable[Any]) -> Iterable[Any]:
    for term in terms:
        yield from (
            (i for i in term if i is not None) if isinstance(term, list | tuple) else () if term is None else (term,)
        )


def _merged(low: Mapping[Any, Any], high: Mapping[Any, Any], recursive: bool, list_merge: str) -> dict[Any, Any]:
    found = dict(low)
    for name, value in high.items():
        before = found.get(name)
        if isinstance(before, Mapping) and isinstance(value, Mapping) and recursive:
            found[name] = _merged(before, value, recursive, list_merge)
        elif isinstance(before, list) and isinstance(value, list):
            found[name] = _lists(before, value, list_merge)
        else:
            found[name] = value
    return found


def _lists(low: list[Any], high: list[Any], merge: str) -> list[Any]:
    rest = [item for item in low if item not in high] if merge.endswith("_rp") else low
    match merge.removesuffix("_rp"):
        case "keep":
            return low
        case "append":
            return rest + high
        case "prepend":
            return high + rest
    return high


def _dict2items(value: Any, key_name: str = "key", value_name: str = "value") -> list[dict[str, Any]]:
    if not isinstance(value, Mapping):
        raise FilterError(f"dict2items takes a mapping, not {quoted(value)}")
    return [{key_name: k, value_name: v} for k, v in value.items()]


def _items2dict(value: Any, key_name: str = "key", value_name: str = "value") -> dict[Any, Any]:
    if not isinstance(value, list | tuple):
        raise FilterError(f"items2dict takes a list, not {quoted(value)}")
    if wrong := [i for i in value if not isinstance(i, Mapping) or key_name not in i or value_name not in i]:
        raise FilterError(
            f"items2dict takes mappings with {quoted(key_name)} and {quoted(value_name)}, not {quoted(wrong[0])}"
        )
    return {i[key_name]: i[value_name] for i in value}


def _plain(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Iterable):
        return list(value)
    raise FilterError(f"to_json cannot write {quoted(value)}")


def _with_text_keys(value: Any) -> Any:
    """Sorted as they are written."""
    if isinstance(value, Mapping):
        return {k if isinstance(k, str) else json.dumps(k): _with_text_keys(v) for k, v in value.items()}
    return [_with_text_keys(v) for v in value] if isinstance(value, list | tuple) else value


def _to_json(
    value: Any,
    indent: int | str | None = None,
    sort_keys: bool = False,
    ensure_ascii: bool = True,
    separators: Any = None,
    skipkeys: bool = False,
    allow_nan: bool = True,
) -> str:
    return json.dumps(
        _with_text_keys(value) if sort_keys else value,
        default=_plain,
        indent=indent,
        sort_keys=sort_keys,
        ensure_ascii=ensure_ascii,
        separators=tuple(separators) if separators else None,
        skipkeys=skipkeys,
        allow_nan=allow_nan,
    )


def _from_json(value: Any) -> Any:
    try:
        return json.loads(value)
    except (ValueError, TypeError) as error:
        raise FilterError(f"from_json: this is not JSON: {error}") from error


def _to_yaml(
    value: Any,
    indent: int | None = None,
    width: int | None = None,
    default_flow_style: bool | None = None,
    sort_keys: bool = True,
    explicit_start: bool | None = None,
    explicit_end: bool | None = None,
    allow_unicode: bool = True,
    default_style: str | None = None,
    line_break: str | None = None,
) -> str:
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)  # libyaml folds and ends otherwise than PyYAML
    made = yaml.dump(
        value,
        Dumper=dumper,
        indent=indent,
        width=width,
        default_flow_style=default_flow_style,
        sort_keys=sort_keys,
        explicit_start=explicit_start,
        explicit_end=explicit_end,
        allow_unicode=allow_unicode,
        default_style=default_style,
        line_break=line_break,
    )
    return str(made)


def _from_yaml(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        found = meant(load_text(value, "from_yaml").data)
    except ConfigError as error:
        raise FilterError(str(error.problems[0])) from error
    if source := _secret_in(found):
        said = f"from_yaml: a text cannot say where a secret is ({source})"
        raise FilterError(said, "write the tag in a file of variables")
    return found


def _secret_in(value: Any) -> SecretSource | None:
    if isinstance(value, SecretSource):
        return value
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return next((found for part in parts if (found := _secret_in(part)) is not None), None)


def _b64encode(value: Any, encoding: str = "utf-8", urlsafe: bool = False) -> str:
    encode = base64.urlsafe_b64encode if urlsafe else base64.b64encode
    return encode(str(value).encode(encoding)).decode("ascii")


def _b64decode(value: Any, encoding: str = "utf-8", urlsafe: bool = False) -> str:
    decode = base64.urlsafe_b64decode if urlsafe else base64.b64decode
    return decode(str(value)).decode(encoding)


def _hash(value: Any, hashtype: str = "sha1") -> str:
    try:
        made = hashlib.new(hashtype)
        made.update(str(value).encode())
        return made.hexdigest()
    except (ValueError, TypeError) as error:
        known = ", ".join(sorted(h for h in hashlib.algorithms_guaranteed if not h.startswith("shake")))
        raise FilterError(f"hash: {quoted(hashtype)} is not a known algorithm", f"one of {known}") from error


def _undefined_in(value: Any) -> Undefined | None:
    if isinstance(value, Undefined):
        return value
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return next((found for part in parts if (found := _undefined_in(part)) is not None), None)


def _passing(function: Callable[..., Any], *, deep: bool) -> Callable[..., Any]:
    """What is undefined comes out as undefined, so that a `default` behind it has its say; so does what holds such a
    thing, for filters that look at all of it."""

    @wraps(function)
    def made(*args: Any, **kwargs: Any) -> Any:
        given = (*args, *kwargs.values())
        missing = next((v for v in given if isinstance(v, Undefined)), None)
        if missing is None and deep:
            missing = next((found for v in given if (found := _undefined_in(v)) is not None), None)
        return missing if missing is not None else function(*args, **kwargs)

    return made


_FOR_UNDEFINED: dict[str, Callable[..., Any]] = {
    "default": JINJA["default"],
    "d": JINJA["default"],
    "mandatory": _mandatory,
    "ternary": _ternary,
}
_OF_ITEMS: dict[str, Callable[..., Any]] = {
    **{name: _listed(name) for name in ("map", "select", "selectattr")},
    **{name: JINJA[name] for name in ("first", "last", "length")},
}
_OF_VALUES: dict[str, Callable[..., Any]] = {
    **{name: JINJA[name] for name in ("float", "int", "join", "list", "lower", "replace", "sort", "upper")},
    "b64decode": _b64decode,
    "b64encode": _b64encode,
    "bool": _bool,
    "combine": _combine,
    "dict2items": _dict2items,
    "from_json": _from_json,
    "from_yaml": _from_yaml,
    "hash": _hash,
    "ipaddr": ipaddr,
    "items2dict": _items2dict,
    "regex_replace": _regex_replace,
    "regex_search": _regex_search,
    "split": _split,
    "to_json": _to_json,
    "to_yaml": _to_yaml,
    "unique": _unique,
}
FILTERS: Mapping[str, Callable[..., Any]] = {
    **_FOR_UNDEFINED,
    **{name: _passing(function, deep=False) for name, function in _OF_ITEMS.items()},
    **{name: _passing(function, deep=True) for name, function in _OF_VALUES.items()},
}


def _needing(test: Callable[..., Any]) -> Callable[..., Any]:
    """Only `is defined` and `is undefined` may be asked of what is not."""

    @wraps(test)
    def made(*args: Any, **kwargs: Any) -> Any:
        for value in (*args, *kwargs.values()):
            if isinstance(value, Undefined):
                raise UndefinedError(value._undefined_message)
        return test(*args, **kwargs)

    return made


def _regex(
    value: Any, pattern: str = "", ignorecase: bool = False, multiline: bool = False, match_type: str = "search"
) -> bool:
    compiled = re.compile(pattern, _flags(ignorecase, multiline))
    find = {"match": compiled.match, "fullmatch": compiled.fullmatch}.get(match_type, compiled.search)
    return bool(find(str(value)))


def _match(value: Any, pattern: str = "", ignorecase: bool = False, multiline: bool = False) -> bool:
    return _regex(value, pattern, ignorecase, multiline, "match")


def _truthy(value: Any, convert_bool: bool = False) -> bool:
    return _bool(value) if convert_bool and isinstance(value, str | int | bool) else bool(value)


_JINJA_TESTS = {n: t for n, t in JINJA_TESTS.items() if n not in ("callable", "escaped", "filter", "test")}
_TESTS: dict[str, Any] = {
    **_JINJA_TESTS,
    "all": all,
    "any": any,
    "contains": lambda whole, part: part in whole,
    "falsy": lambda value, convert_bool=False: not _truthy(value, convert_bool),
    "match": _match,
    "regex": _regex,
    "search": _regex,
    "subset": lambda one, other: set(one) <= set(other),
    "superset": lambda one, other: set(one) >= set(other),
    "truthy": _truthy,
}
TESTS: Mapping[str, Any] = {n: t if n in ("defined", "undefined") else _needing(t) for n, t in _TESTS.items()}
