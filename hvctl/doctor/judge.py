"""All that is wrong with a host, ranked, and how far it was looked at: from what was seen to what is said."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hvctl.contract import title
from hvctl.doctor import wmi_v1
from hvctl.doctor.cause import STAGES, Cause, ranked
from hvctl.doctor.evidence import Certificate, Examination, Stage
from hvctl.doctor.judge_host import of_host
from hvctl.doctor.judge_way import of_fault, of_way
from hvctl.doctor.questions import Told


@dataclass(frozen=True)
class Diagnosis:
    """Of one host. `looked_at`: the stages that were seen; what lies behind a trouble was not. `windows`, `account`: as the
    host says, once it was logged on to. `defect`: the traceback of hvctl's own fault."""

    host: str
    address: str = ""
    windows: str = ""
    account: str = ""
    causes: tuple[Cause, ...] = ()
    looked_at: tuple[Stage, ...] = ()
    certificate: Certificate | None = None
    v1: wmi_v1.V1Report | None = None
    defect: str = ""

    @property
    def healthy(self) -> bool:
        """Whether hvctl can do all that is wanted there; warnings do not count."""
        return not self.defect and all(c.weight == "warns" for c in self.causes)

    @property
    def not_looked_at(self) -> tuple[Stage, ...]:
        return tuple(s for s in STAGES if s not in self.looked_at)


def diagnosis(e: Examination) -> Diagnosis:
    found = causes(e)
    at, facts = e.connection, e.facts
    return Diagnosis(
        e.host,
        address=f"{at.host}:{at.port}" if at else "",
        windows=f"{title(facts.os)} ({facts.info.build})" if facts else "",
        account=facts.info.user if facts else "",
        causes=found,
        looked_at=_looked_at(e, found),
        certificate=e.way.certificate if e.way else None,
        v1=wmi_v1.report(Told(facts)) if facts else None,
    )


def causes(e: Examination) -> tuple[Cause, ...]:
    return ranked([*_configuration(e), *of_way(e), *of_fault(e), *of_host(e)])


def _looked_at(e: Examination, found: Sequence[Cause]) -> tuple[Stage, ...]:
    if e.facts is not None:
        return STAGES
    stopped = [STAGES.index(c.stage) for c in found if c.weight == "blocks"]
    return STAGES[: min(stopped, default=-1) + 1]


def _configuration(e: Examination) -> Iterator[Cause]:
    for problem in e.wrong:
        place = f" ({problem.mark})" if problem.mark else ""
        yield Cause(
            "configuration", "configuration", "blocks", f"{problem.message}{place}",
            problem.hint or "hvctl inventory --list", "inventory" if problem.hint else "control node",
        )  # fmt: skip
