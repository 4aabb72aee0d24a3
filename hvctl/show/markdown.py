"""A check as Markdown, for comments on merge requests and for wikis: GitHub's and GitLab's dialect."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from hvctl.core.check import Check
from hvctl.language import advised, listing, said
from hvctl.show.page import HostPage, Item, Page, Ran, Row, Told, page_of
from hvctl.show.standing import MANY

LIMIT = 60_000
"""Characters. GitHub takes 65,536 in a comment, GitLab a million."""
_HOSTS = 200
_OPEN = 100
_CALM = 500
_SPECIAL = re.compile(r"([\\`*_\[\]#!|~$]|:(?=[A-Za-z/+]))")


def rendered(check: Check) -> str:
    page = page_of(check)
    groups = _groups([h for h in page.hosts if not h.quiet], page)
    text = "\n".join(_head(page)) + "\n"
    left = LIMIT - len(text) - 400
    for number, hosts in enumerate(groups):
        body = "\n".join([*_names(hosts), *_host(hosts[0], page)]) + "\n"
        if len(body) > left:
            text += "\n" + _cut(body, left, sum(len(later) for later in groups[number + 1 :]))
            break
        text, left = text + "\n" + body, left - len(body) - 1
        calls = "\n".join(_calls(hosts)) + "\n" if any(host.calls for host in hosts) else ""
        if calls and len(calls) <= left // 2:
            text, left = text + calls, left - len(calls)
    return text


def _groups(hosts: Iterable[HostPage], page: Page) -> list[list[HostPage]]:
    """Hosts of which the same is told, in the order of the first of each; what is sent to them may differ."""
    found: dict[object, list[HostPage]] = {}
    for host in hosts:
        alone = len(page.hosts) <= MANY or host.together
        found.setdefault(host.name if alone else (host.word, *_host(host, page)), []).append(host)
    return list(found.values())


def _cut(body: str, left: int, more: int) -> str:
    """As many whole lines as fit, and the note. Nothing is cut where a fold is open."""
    kept = ""
    for line in body.splitlines(keepends=True):
        if len(kept) + len(line) > left:
            break
        kept += line
    open_ones = kept.count("<details>") - kept.count("</details>")
    fence = "\n```\n" if len(re.findall(r"^`{3,}", kept, re.MULTILINE)) % 2 else ""
    rest = f" {more} more host{'s' * (more != 1)} not shown." if more else ""
    whole = f"{said('this is all that fits.')}{said(rest)} {said('The HTML and JSON reports are whole.')}"
    note = f"> **{said('Cut here:')}** {whole}"
    return f"{kept}{fence}{'</details>' * open_ones}\n\n{note}\n"


def _head(page: Page) -> Iterator[str]:
    yield f"## hvctl {page.verb}: {_text(page.verdict)}"
    yield ""
    names = ", ".join(_text(p) for p in page.playbooks)
    tally = listing(f"**{count}** {word}" for _, word, count in page.tally)
    yield f"{tally}. {names} · {page.when} · {said(f'took {page.took}')} · {said(f'exit status {page.exit_status}')}"
    yield ""
    for word, texts in page.news:
        shown = listing(_text(t) for t in texts[:10])
        yield f"- {word}: {shown}" + (said(f" and {len(texts) - 10} more") if len(texts) > 10 else "")
    if page.news:
        yield ""
    yield from _open(page)
    yield from _table(("Host", "State", "Windows", "Done" if page.verb == "apply" else "Differences"), (
        (h.name, f"{h.word}{_for(h.open)}", h.os, h.brief) for h in page.overview[:_HOSTS]
    ))  # fmt: skip
    if len(page.overview) > _HOSTS:
        yield "\n" + said(f"… and {len(page.overview) - _HOSTS} more hosts.")
    if page.calm:
        yield ""
        names = ", ".join(_text(h.name) for h in page.calm[:_CALM])
        more = f" and {len(page.calm) - _CALM} more" if len(page.calm) > _CALM else ""
        yield from _folded(f"{len(page.calm)} hosts in sync", [names + more, ""])


def _open(page: Page) -> Iterator[str]:
    """What is not as written on any of the hosts, and not only what is new."""
    if page.open:
        yield f"**{said('Open')}** ({len(page.open)})"
        yield ""
        yield from _table(("Since", "Host", "Resource", "Field", "Now → wanted"), (
            (_since(one.since), one.host, one.name, one.field, one.change) for one in page.open[:_OPEN]
        ))  # fmt: skip
        if len(page.open) > _OPEN:
            yield "\n" + said(f"… and {len(page.open) - _OPEN} more.")
        yield ""


def _names(hosts: Sequence[HostPage]) -> Iterator[str]:
    many = len(hosts) > 1
    yield f"### {said(f'{len(hosts)} hosts, the same on each') if many else _text(hosts[0].name)}: {hosts[0].word}"
    yield ""
    if many:
        yield listing(_text(host.name) for host in hosts)
        yield ""


def _host(host: HostPage, page: Page) -> Iterator[str]:
    yield from _told(host.told)
    if host.ran:
        yield f"{_text(host.done)}"
        yield ""
        went_well = all(r.status == "ok" for r in host.ran)
        yield from _folded("What was done", list(_ran(host.ran)), opened=not went_well)
        if host.left:
            yield f"**{said('What is left')}**"
            yield ""
            yield from _items(host.left, page)
        if host.items:
            yield from _folded("What differed before", list(_items(host.items, page)))
    else:
        yield from _items(host.items, page)


def _items(items: Sequence[Item], page: Page) -> Iterator[str]:
    if not items:
        return
    rows = [cells for item in items for cells in _rows(item)]
    since = any(cells[-2] for cells in rows)
    head = ("", "Resource", "Field", "Now → wanted", "Impact", "Since", "Playbook")
    keep = [n for n, name in enumerate(head) if since or name != "Since"]
    yield from _table([head[n] for n in keep], ([cells[n] for n in keep] for cells in rows))
    yield ""
    for item in items:
        for told in item.told:
            yield f"- {_text(item.name)}: {_one(told)}"
        if item.restart:
            yield f"- {_text(item.name)}: {_text(item.restart)}"
    yield ""
    for told in (t for item in items for t in item.told):
        yield from _traced(told)


def _rows(item: Item) -> Iterator[tuple[str, ...]]:
    """A line a field; what is told as a whole has a line of its own."""
    if not item.rows:
        yield (item.sign, item.name, "", item.more or item.word, "", _since(item.since), item.place)
    for row in item.rows:
        yield (item.sign, item.name, row.field, _change(row), row.impact, _since(row.since), row.place)


def _change(row: Row) -> str:
    return f"{row.now} → {row.wanted}" + (f" ({row.note})" if row.note else "")


def _since(since: tuple[str, ...]) -> str:
    return ", ".join(since)


def _for(since: tuple[str, ...]) -> str:
    return f", {since[0]}" if since else ""


def _told(told: Iterable[Told]) -> Iterator[str]:
    told = tuple(told)
    yield from (f"- {_one(t)}" for t in told)
    if told:
        yield ""
    for one in told:
        yield from _traced(one)


def _traced(told: Told) -> Iterator[str]:
    if told.trace:
        yield from _folded("Traceback", list(_fenced(told.trace.splitlines())))


def _one(told: Told) -> str:
    text = _text(told.message)
    text = f"**{text}**" if told.level == "impossible" else text
    return advised(text, _text(told.hint)) if told.hint else text


def _ran(ran: Iterable[Ran]) -> Iterator[str]:
    for one in ran:
        more = ", ".join(t for t in (one.word, one.took) if t) + (f": {_text(one.why)}" if one.why else "")
        yield f"- {one.sign} {_text(one.step.text)} ({more})"
        if one.failure:
            yield f"  **{_text(one.failure)}** {_text(one.code)}"
        for told in one.said:
            yield f"  {_text(told)}"
        for warning in one.warnings:
            yield f"  {said('warning of the host:')} {_text(warning)}"
    yield ""


def _calls(hosts: Sequence[HostPage]) -> Iterator[str]:
    """Host by host, where they are not sent the same."""
    told = hosts[:1] if all(host.calls == hosts[0].calls for host in hosts) else hosts
    lines: list[str] = []
    for host in told:
        lines += [_text(host.name), ""] if len(told) > 1 else []
        lines += _fenced([c.call for c in host.calls], "powershell")
    yield from _folded(f"Calls ({sum(len(host.calls) for host in told)})", lines)


def _fenced(texts: Iterable[str], language: str = "") -> Iterator[str]:
    lines = list(texts)
    longest = max((len(run) for line in lines for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    yield f"{fence}{language}"
    yield from lines
    yield fence
    yield ""


def _folded(title: str, lines: Sequence[str], *, opened: bool = False) -> Iterator[str]:
    yield f"<details{' open' * opened}><summary>{said(title)}</summary>"
    yield ""
    yield from lines
    yield "</details>"
    yield ""


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(map(said, head))} |"
    yield f"|{' --- |' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(_text(cell) for cell in row)} |"


def _text(text: str) -> str:
    """Nothing in it means anything: no markup, no tags, no mentions, no links. It has one line already."""
    plain = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _SPECIAL.sub(r"\\\1", plain).replace("@", "&#64;").replace("www.", "www&#46;")
