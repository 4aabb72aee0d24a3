"""Whatever a kind raises while it reads facts, as what is told of its resource."""

from __future__ import annotations

from dataclasses import dataclass

from hvctl.call import defect
from hvctl.core.facts import UnreadableError

_ODD_DATA = (LookupError, ValueError, ArithmeticError, TypeError, AttributeError)
"""What data that is not as expected makes Python raise. A mistake of hvctl may raise them too: hence the traceback."""


@dataclass(frozen=True)
class Misreading:
    """`trace`: where it was raised, unless the property is named. `defect`: it is hvctl's own, whatever the host said.
    `outside`: what of the message is the host's."""

    message: str
    hint: str
    trace: str = ""
    defect: bool = False
    outside: tuple[str, ...] = ()

    @classmethod
    def of(cls, error: Exception) -> Misreading:
        if isinstance(error, UnreadableError):
            return cls(str(error), error.hint, outside=(error.outside,))
        what, trace = f"{type(error).__name__}: {error}", defect(error).defect
        if isinstance(error, _ODD_DATA):
            hint = "look at the host; nothing is done about this; -v shows where hvctl met it"
            return cls(f"the host answered what cannot be read ({what})", hint, trace)
        hint = "nothing is done about this; report the traceback"
        return cls(f"hvctl failed on what the host answered ({what})", hint, trace, defect=True)
