"""Numbers → shapes for inline SVG: stacked bars, laid out, nothing drawn yet."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Bar:
    """One part of a stack. `part`: which of the parts, for its colour; `text`: what it says when it is pointed at."""

    x: float
    y: float
    width: float
    height: float
    part: int
    text: str


@dataclass(frozen=True)
class Label:
    x: float
    y: float
    text: str


@dataclass(frozen=True)
class Chart:
    """`lines`: where the scale is drawn, by their labels."""

    width: float
    height: float
    bars: tuple[Bar, ...]
    names: tuple[Label, ...]
    lines: tuple[Label, ...]


LACKING = 9
"""The part of the marks of what is not known."""
_LEFT, _RIGHT, _TOP, _BOTTOM = 72.0, 8.0, 8.0, 24.0
_ROW, _THICK = 34.0, 22.0


def rows(
    names: Sequence[str], stacks: Sequence[Sequence[float]], texts: Sequence[Sequence[str]], totals: Sequence[str]
) -> Chart:
    """A horizontal stack for each name, its name and total above it. `texts`: of each part."""
    width, most = 640.0, max((sum(stack) for stack in stacks), default=0.0)
    bars: list[Bar] = []
    labels: list[Label] = []
    for n, (name, stack) in enumerate(zip(names, stacks, strict=True)):
        top = n * (_ROW + 12)
        labels.append(Label(0, top + 12, f"{name}: {totals[n]}"))
        x = 0.0
        for part, value in enumerate(stack):
            size = width * value / most if most else 0.0
            if size:
                bars.append(Bar(round(x, 2), top + 18, round(size, 2), _THICK, part, texts[n][part]))
            x += size
    return Chart(width, max(1.0, len(names) * (_ROW + 12)), tuple(bars), tuple(labels), ())


def columns(
    names: Sequence[str], stacks: Sequence[Sequence[float]], texts: Sequence[Sequence[str]], lacking: Sequence[str]
) -> Chart:
    """A vertical stack for each name, with a scale. Of many names some are written. `lacking`: what is not known of each;
    where it is anything, a mark stands below the stack."""
    width, height = 640.0, 220.0
    inside, tall = width - _LEFT - _RIGHT, height - _TOP - _BOTTOM
    top = _round_up(max((sum(stack) for stack in stacks), default=0.0))
    step = inside / max(1, len(names))
    bars: list[Bar] = []
    for n, stack in enumerate(stacks):
        y = _TOP + tall
        for part, value in enumerate(stack):
            size = tall * value / top if top else 0.0
            y -= size
            if size:
                x = _LEFT + n * step + step * 0.1
                bars.append(Bar(round(x, 2), round(y, 2), round(step * 0.8, 2), round(size, 2), part, texts[n][part]))
        if lacking[n]:
            x = _LEFT + n * step + step * 0.1
            bars.append(Bar(round(x, 2), _TOP + tall + 2, round(step * 0.8, 2), 4, LACKING, lacking[n]))
    every = max(1, math.ceil(len(names) / 10))
    labels = [
        Label(round(_LEFT + (n + 0.5) * step, 2), height - 6, name) for n, name in enumerate(names) if n % every == 0
    ]
    lines = [Label(_LEFT, round(_TOP + tall * (1 - k / 4), 2), f"{top * k / 4:g}") for k in range(5)] if top else []
    return Chart(width, height, tuple(bars), tuple(labels), tuple(lines))


def _round_up(value: float) -> float:
    """To 1, 2, 4 or 10 times a power of ten, so that a quarter of it reads well."""
    if value <= 0:
        return 0.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 4, 8, 10) if step * power >= value * (1 - 1e-12))
