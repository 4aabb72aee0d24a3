"""Write docs/playbook.md and the schemas from the models, the READMEs' plan; `--check` says whether they are current."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path

from hvctl.core.fields import Fields, Setting, models_in
from hvctl.core.resource import Resource
from hvctl.kinds import kinds, sections
from hvctl.reference.meanings import meaning
from hvctl.reference.schema import SCHEMAS, schema_text
from hvctl.reference.wording import impact, since, value
from scripts.completion import COMPLETION, completion
from scripts.guest_systems import GUESTS, guests
from scripts.maximums import MAXIMUMS, maximums
from scripts.plan_in_readme import readmes

TARGET = Path(__file__).parent.parent / "docs" / "playbook.md"
FOLDER = TARGET.parent.parent / "schemas"
HEAD = """# Playbook reference

<!-- Written by scripts/make_docs.py from the models in hvctl/kinds; change those, not this. -->

A playbook is a list of plays. A play has these keys beside the sections below:

| key | meaning |
| --- | --- |
| `name` | what the play is called in messages |
| `hosts` | a pattern over the inventory: `all`, a group, `lab:&tokyo:!hv03`, globs, `~regex`, `group[0:2]` |
| `vars`, `vars_files` | variables for `{{ }}` and for connections, over those of the inventory; `vars_files` win |
| `tags` | words for `--tags`; VMs may have some of their own |
| `serial` | hosts changed at a time: `2`, `10%`, or in turn `[1, 10%, 100%]`: [rolling changes](fleet.md#rolling-changes) |
| `restarts_at_once` | hosts at a time on which VMs restart: `2`, or [of each cluster](fleet.md#restarts-at-once) |
| `allow` | consents for this play: `disconnect`, `move`, `restart`, `recreate`, `destroy`, `management` |

What is not written is not managed. `null` clears a field where its row says what null means, and is refused elsewhere.
Sizes are binary (`60GB` is 60·2³⁰ bytes, as in PowerShell), rates decimal
(`1Gbps` is 10⁹ bit/s), times take `w`, `d`, `h`, `m` (or `min`) and
`s`, with decimals and in sums, the greatest first (`90s`, `1.5h`, `1h30m`, `1d 12h`); a plain number is one of seconds. The
command line (`--every`, `--grace`, `--since` …) reads the same, but no plain numbers.
`yes`, `no`, `on`, `off`, `true` and `false` are booleans where a boolean is wanted and words where a word is wanted. Windows
paths belong in single quotes. Values may hold Jinja2
expressions; an expression alone keeps its type, and what `no` or `0644` are in it is in
[the inventory](inventory.md#variables-in-expressions).

**Loops**: an item of a list (`vms`, `switches`, `disks` …) with `loop` is made once for each value, which its
expressions call `item`, as in Ansible: `- {name: 'web{{ item }}', loop: '{{ range(1, 5) }}', …}`; `loop: [a, b]` and
`loop: '{{ sizes | dict2items }}'` are lists too. Loops stand within loops; the inner `item` is the nearest. What each
turn makes must have a name of its own.

**Several plays** may write one thing, also in several playbooks of one command: a base for all hosts, and what a site
adds. It is put together key by key, on each host from the plays that are for it, after expressions are evaluated. A
field that two of them write must be the same in both, `null` included, else it is an error with both places; none
wins. A VM that is `absent` in one of them must be so in all. A list that is `exclusive` must be called so by every
play that adds to it. What one of the plays does not `allow` is not allowed for what they share. `--tags` selects
plays before anything is put together. Within one play a second entry of the same thing is an error, and a template of
`cloud_init` or `unattend` sees the VM as its own play has it.

Every resource takes `accept: {until: 2027-01-31, reason: …, fields: […]}`: [known drift](everyday.md#known-drift), which is
told apart and left as it is until that day.

**Impact** says what a change costs; without consent it is planned as blocked. "VM off": the VM must be off for it, so
on a running VM it counts as `restart`; on one that is off it is `online`. Where a column says "see kind", the impact
depends on the host's version and the VM's state, and the plan says which it is.
"""


def main() -> int:
    written = {TARGET: "\n".join([HEAD, *_top()]) + "\n", GUESTS: guests(), MAXIMUMS: maximums(), **readmes()}
    written[COMPLETION] = completion()
    written |= {FOLDER / f"{name}.json": schema_text(name) for name in SCHEMAS}
    if "--check" in sys.argv:
        stale = [str(f) for f, text in written.items() if not f.exists() or f.read_text(encoding="utf-8") != text]
        print(f"not current, run make docs: {', '.join(stale)}" if stale else "the generated documentation is current")
        return 1 if stale else 0
    for file, text in written.items():
        file.write_text(text, encoding="utf-8")
    return 0


def _top() -> Iterator[str]:
    for kind in sorted((k for k in kinds() if k.within is None), key=lambda k: k.section):
        yield from _kind(kind, 2)


def _kind(kind: type[Resource], level: int) -> Iterator[str]:
    where = f" of a {kind.within}" if kind.within else ""
    many = "a list" if kind.many else "one mapping"
    yield f"\n{'#' * level} `{kind.section}`{where}: {many}\n"
    yield inspect.cleandoc(kind.__doc__ or "") + "\n"
    yield "| field | meaning | value | impact | from |"
    yield "| --- | --- | --- | --- | --- |"
    yield from _rows(kind, kind, "")
    for _, part in sorted(sections(kind.kind).items()):
        yield from _kind(part, level + 1)


def _rows(kind: type[Resource], model: type[Fields], prefix: str) -> Iterator[str]:
    for name, info in model.model_fields.items():
        inner = next(models_in(info.annotation), None)
        setting = next((m for m in info.metadata if isinstance(m, Setting)), None)
        written = info.alias or name
        need = " (required)" if info.is_required() else ""
        means = meaning(model, name, written).text.replace("|", "\\|")
        cells = (f"`{prefix}{written}`{need}", means, value(info), impact(setting), since(kind, setting))
        yield f"| {' | '.join(cells)} |"
        if inner is not None:
            yield from _rows(kind, inner, f"{prefix}{name}.")


if __name__ == "__main__":
    sys.exit(main())
