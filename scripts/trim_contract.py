"""Writes the part of the cmdlet contract that hvctl uses, from a folder that holds the whole contract."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

VERSIONS = ("2012", "2012r2", "2016", "2019", "2022", "2025")
MODULES = ("hyper-v", "failoverclusters", "extras", "host")

ROOT = Path(__file__).resolve().parent.parent
KEPT = ROOT / "hvctl/contract/cmdlets.txt"
DATA = ROOT / "hvctl/contract/data"
CASES = ROOT / "tests/data/bindings"

CMDLET_KEYS = ("sets", "default_set", "params", "outputs", "impact", "undocumented_params")
PARAMETER_KEYS = (
    *("type", "sets", "aliases", "values", "range", "nullable", "reject", "allow", "ps_type", "wildcard", "dynamic"),
)

Keep = Callable[[str], bool]


def everything(cmdlet: str) -> bool:
    return True


def kept(path: Path = KEPT) -> Keep:
    """The cmdlets listed in that file, compared without case."""
    lines = (line.partition("#")[0].strip().lower() for line in path.read_text("utf-8").splitlines())
    return frozenset(line for line in lines if line).__contains__


def trimmed(folder: Path, keep: Keep = everything) -> dict[str, Any]:
    """What hvctl.contract reads: version -> its cmdlets, and "types"."""
    common = _json(folder / "common.json")["common_parameters"]
    whole = {os: {name: _json(folder / name / f"{os}.json") for name in MODULES} for os in VERSIONS}
    versions = {os: _version(os, whole[os], common[os], keep) for os in VERSIONS}
    modules = {cmdlet["group"] for version in versions.values() for cmdlet in version["cmdlets"].values()}
    types = _json(folder / "types.json")
    kept = {name: _types(types.get(name, {})) for name in MODULES if name in modules}
    _tell_apart(versions, kept)
    return {**versions, "types": kept}


def _tell_apart(versions: Mapping[str, Any], types: Mapping[str, Any]) -> None:
    """Enums of one short name (README of the contract: Protocol of the mappings of a NAT, and of routes): one whose
    members the type's do not include is called after the noun of its cmdlet."""
    for os, version in versions.items():
        for name, cmdlet in version["cmdlets"].items():
            known = types[cmdlet["group"]]
            accepted = known.get("accepted_by_os", {})
            for fact in cmdlet["params"].values():
                kind = fact["type"].removesuffix("[]")
                members = {*accepted.get(kind, {}).get(os, ()), *known.get("enums", {}).get(kind, {}).get("values", ())}
                if kind in accepted and not members.issuperset(fact.get("values", ())):
                    own = f"{name.partition('-')[2]}.{kind}"
                    accepted.setdefault(own, {})[os] = fact["values"]
                    fact["type"] = fact["type"].replace(kind, own)


def _version(os: str, modules: Mapping[str, Any], common: Mapping[str, str], keep: Keep) -> dict[str, Any]:
    cmdlets = {
        name: _cmdlet(group, module, cmdlet)
        for group, module in modules.items()
        for name, cmdlet in module["cmdlets"].items()
        if keep(name.lower())
    }
    unknown = {name for module in modules.values() for name in module.get("undocumented", ()) if keep(name.lower())}
    return {"os": os, "common": common, "undocumented": sorted(unknown), "cmdlets": dict(sorted(cmdlets.items()))}


def _cmdlet(group: str, module: Mapping[str, Any], cmdlet: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: cmdlet[key] for key in CMDLET_KEYS if cmdlet.get(key)}
    kept["params"] = {
        name: {key: fact[key] for key in PARAMETER_KEYS if key in fact}
        for name, fact in sorted(cmdlet["params"].items())
    }
    kept["group"] = group
    kept["module"] = cmdlet.get("module", module["module"])
    if cmdlet.get("function") or (group in ("failoverclusters", "extras") and "CimSession" in cmdlet["params"]):
        kept["function"] = True
    return kept


def _types(module: Mapping[str, Any]) -> dict[str, Any]:
    return {key: module[key] for key in ("classes", "enums", "accepted_by_os") if key in module}


def files(folder: Path, keep: Keep) -> Iterator[tuple[Path, str]]:
    """Every file that the trimmed contract consists of, with its text."""
    for name, part in trimmed(folder, keep).items():
        yield DATA / f"{name}.json", _text(part, depth=2 if name != "types" else 3)
    for os in VERSIONS:
        lines = (folder / "bindings" / f"{os}.jsonl").read_text("utf-8").splitlines(keepends=True)
        yield CASES / f"{os}.jsonl", "".join(line for line in lines if keep(json.loads(line)["cmdlet"].lower()))


def _text(value: Any, depth: int) -> str:
    """JSON with one entry a line down to that depth, so that a difference names a cmdlet or a class."""
    return _broken(value, depth) + "\n"


def _broken(value: Any, depth: int) -> str:
    if depth == 0 or not isinstance(value, dict) or not value:
        return json.dumps(value, ensure_ascii=False, sort_keys=False, separators=(",", ":"))
    entries = (f"{json.dumps(key)}: {_broken(inner, depth - 1)}" for key, inner in value.items())
    return "{\n" + ",\n".join(entries) + "\n}"


def _json(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def _differing(wanted: Mapping[Path, str]) -> Iterator[str]:
    present = {path for folder in (DATA, CASES) for path in folder.glob("*.json*")}
    for path in sorted(present | set(wanted)):
        name = path.relative_to(ROOT).as_posix()
        if path not in wanted:
            yield f"{name}: nothing gives it"
        elif path not in present:
            yield f"{name}: missing"
        elif (now := path.read_text("utf-8")) != wanted[path]:
            yield f"{name}: {_first_difference(now, wanted[path])}"


def _first_difference(now: str, wanted: str) -> str:
    before, after = now.splitlines(), wanted.splitlines()
    for number, (one, other) in enumerate(zip(before, after, strict=False), 1):
        if one != other:
            at = next(
                (i for i, (x, y) in enumerate(zip(one, other, strict=False)) if x != y), min(len(one), len(other))
            )
            start = max(0, at - 40)
            shown = f"{one[start : at + 20]!r}, the folder gives {other[start : at + 20]!r}"
            return f"line {number} ({one[:40]}…): {shown}"
    return f"{len(before)} lines, the folder gives {len(after)}"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="holds hyper-v/, host/, types.json, bindings/ and so on")
    parser.add_argument("--check", action="store_true", help="write nothing; 1 if the repository is not up to date")
    options = parser.parse_args(arguments)
    wanted = dict(files(options.folder, kept()))
    if options.check:
        differences = list(_differing(wanted))
        print("\n".join(differences) or "the trimmed contract is current")
        return 1 if differences else 0
    for path, text in wanted.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
