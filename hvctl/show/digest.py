"""What changed since the last check, in a few lines for a notification."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hvctl.core.check import Check, Drift, News, Spot
from hvctl.language import said
from hvctl.show.plain import plain
from hvctl.show.remembered import NOW, named
from hvctl.show.standing import open_drifts
from hvctl.show.summary import summary_lines
from hvctl.text.duration import lasted

LONGEST = 1_800
"""Characters of a body. The tightest of the common services takes 2,000 in all."""
_LINE = 200


@dataclass(frozen=True)
class Digest:
    """`bad`: something went wrong, and not only right again."""

    title: str
    body: str
    bad: bool


def digest(check: Check, news: News) -> Digest:
    """Plain text; values are those that a plan shows, in which secrets are masked."""
    check, news = plain(check), plain(news)
    counts = [
        (len(news.appeared), "field", "drifted"),
        (len(news.went), "field", "as wished again"),
        (len(news.lost), "host", "lost"),
        (len(news.back), "host", "back"),
    ]
    title = "hvctl: " + ", ".join(said(f"{n} {what}{'s' * (n != 1)} {how}") for n, what, how in counts if n)
    hosts = summary_lines(check.outcomes, drift=True, memory=check.memory)
    foot = f"{' '.join(str(line) for line in hosts)}\n{_open(check)}{_looked(check)}"
    return Digest(title, _fitted(list(_lines(check, news)), foot), bool(news.appeared or news.lost))


def _lines(check: Check, news: News) -> Iterator[str]:
    drifts = {d.spot: d for d in check.drifts}
    errors = {one.host: one.error.message for one in check.outcomes if one.error is not None}
    errors |= {one.host: str(one.wrong[0]) for one in check.outcomes if one.wrong}
    if news.lost:
        yield said("Lost:")
        for host in news.lost:
            yield f"  {host}" + (f": {said(errors[host])}" if host in errors else "")
    if news.back:
        yield said("Back:")
        yield from (f"  {host}" for host in news.back)
    if news.appeared:
        yield said("Drifted:")
        yield from (f"  {_drifted(spot, drifts.get(spot))}" for spot in news.appeared)
    if news.went:
        yield said("As wished again:")
        yield from (f"  {named(spot)}" for spot in news.went)


def _drifted(spot: Spot, drift: Drift | None) -> str:
    if drift is None or drift.line is None:
        return named(spot)
    return said(f"{named(spot)}: {drift.line.now}, should be {drift.line.wanted} ({drift.line.mark})")


def _open(check: Check) -> str:
    """What is open besides what is new, where it is remembered."""
    since = check.memory.since
    known = [d for d in open_drifts(check) if d.spot in since and check.finished - since[d.spot].first_seen >= NOW]
    if not known:
        return ""
    hosts = len({d.spot.host for d in known})
    oldest = lasted(check.finished - since[known[0].spot].first_seen)
    many = f"{len(known)} field{'s' * (len(known) != 1)} on {hosts} host{'s' * (hosts != 1)}"
    return said(f"Open from before: {many}, the oldest for {oldest}.\n")


def _looked(check: Check) -> str:
    return f"{', '.join(check.playbooks)}, {check.finished:%Y-%m-%d %H:%M} UTC"


def _fitted(lines: Sequence[str], foot: str) -> str:
    """As many lines as there is room for; the foot always."""
    foot = _shortened(foot, LONGEST // 3)
    room = LONGEST - len(foot) - len("… and 999999 lines more: hvctl drift\n")
    kept: list[str] = []
    for line in (_shortened(line, _LINE) for line in lines):
        room -= len(line) + 1
        if room < 0:
            break
        kept.append(line)
    left = len(lines) - len(kept)
    more = [said(f"… and {left} line{'s' * (left != 1)} more: hvctl drift")] if left else []
    return "\n".join([*kept, *more, foot])


def _shortened(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"
