"""Every second try of hvctl: what is tried again, how often, and after which wait. The trying itself is tenacity's."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt
from tenacity.stop import stop_base
from tenacity.wait import wait_base, wait_chain, wait_exponential, wait_fixed, wait_none

from hvctl.winrm.faults import Kind, WireFault

# --- faults of the wire ---------------------------------------------------------------------------------------------

RESENT: frozenset[Kind] = frozenset({"refused", "name", "connect", "busy", "quota", "undecryptable", "exhausted"})
"""The request was not carried out, and what was in its way passes by itself."""
UNSURE: frozenset[Kind] = frozenset({"lost", "timed_out", "protocol"})
"""It may have been carried out; sending it again helps where that does no harm."""
UNFIT: frozenset[Kind] = frozenset({"redirect", "oversized", "slow"})
"""It may have been carried out, and another answer would be no better: nothing is asked again."""


def futile(error: BaseException | None) -> bool:
    """Whether it comes from an answer that no other would be better than."""
    return isinstance(error, WireFault) and (error.kind in UNFIT or futile(error.__cause__))


# --- how often ------------------------------------------------------------------------------------------------------

REQUEST_TRIES = 5
REFUSALS = 2
"""So many in a row are taken for an accident where the same user and password were good before."""
BATCH_TRIES = 3
"""Of a read, of a line that did not arrive, of a question for a journal."""
UPLOAD_TRIES = 4
"""How often an upload may break without a byte more having arrived."""
ODD_ANSWERS = 8
"""Of a host that is there, in the middle of changes."""
DATABASE_TRIES = 20

# --- after which wait -----------------------------------------------------------------------------------------------


class RequestWait(wait_base):
    """0.5, 1, 2, 4 s for a connection, 5 s for a service that starts, 2 to 60 s for quotas; with jitter (winrm 5.1)."""

    def __call__(self, retry_state: RetryCallState) -> float:
        fault = retry_state.outcome.exception() if retry_state.outcome else None
        kind: Kind = fault.kind if isinstance(fault, WireFault) else "lost"
        n = retry_state.attempt_number
        if kind == "undecryptable":
            return 0.0
        base = 5.0 if kind == "busy" else min(60.0, 2.0**n) if kind == "quota" else min(30.0, 0.5 * 2 ** (n - 1))
        return base * random.uniform(0.9, 1.2)


def upload_wait(futile_tries: int) -> float:
    """Seconds, after so many tries that brought nothing."""
    return min(15.0, 0.5 * 2.0**futile_tries)


AT_ONCE = wait_none()
ABSENCE_WAIT = wait_exponential(multiplier=1, max=15)
DATABASE_WAIT = wait_fixed(0.5)
SETTLING_S = (5, 10, 20, 40, 60)
"""After a failure: how long WinRM and Hyper-V's service may take to answer again, as after a reboot."""
SETTLING_WAIT = wait_chain(*(wait_fixed(seconds) for seconds in SETTLING_S))


def trying(
    worth: Callable[[BaseException], bool],
    tries: int | stop_base,
    wait: wait_base = AT_ONCE,
    *,
    sleep: Callable[[float], None] = time.sleep,
    before: Callable[[], None] = lambda: None,
) -> Retrying:
    """What is tried is raised as it fails at last. `worth`: whether a fault is worth another try; `before`: it, and before
    the wait."""
    return Retrying(
        stop=stop_after_attempt(tries) if isinstance(tries, int) else tries,
        wait=wait,
        retry=retry_if_exception(worth),
        sleep=sleep,
        before_sleep=lambda _: before(),
        reraise=True,
    )
