"""A cause of trouble with a host, and which of several comes first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

from hvctl.doctor.evidence import Stage
from hvctl.text.foreign import Foreign

Weight = Literal["blocks", "limits", "warns"]
"""Nothing works on the host; something does not; everything does, yet."""
Certainty = Literal["certain", "likely", "possible"]
Place = Literal["control node", "inventory", "host", "domain", "playbook"]

STAGES: tuple[Stage, ...] = get_args(Stage)


@dataclass(frozen=True)
class Cause:
    """`name`: for programs, the same in every version of hvctl. `remedy`: one command, or a line of the inventory or
    playbook, to be typed `at`. `outside`: what of the message is the host's and not hvctl's wording."""

    name: str
    stage: Stage
    weight: Weight
    message: str
    remedy: str
    at: Place
    sure: Certainty = "certain"
    outside: tuple[Foreign, ...] = ()

    @property
    def rank(self) -> tuple[int, int, int]:
        """What blocks comes first; then what comes first on the way to the host; then what is surer."""
        weights, sure = get_args(Weight), get_args(Certainty)
        return weights.index(self.weight), STAGES.index(self.stage), sure.index(self.sure)


def ranked(causes: Iterable[Cause]) -> tuple[Cause, ...]:
    """Each name once; of equal rank in the order given."""
    found: dict[str, Cause] = {}
    for one in sorted(causes, key=lambda c: c.rank):
        found.setdefault(one.name, one)
    return tuple(found.values())
