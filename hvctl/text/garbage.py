"""When Python looks for what is to be thrown away. Modules, models and plans stay: looking through them as often as it does by
itself is a tenth of the time, and a third of it where there are very many VMs."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_STARTING = (400_000, 20, 20)
"""Nearly all that is made while modules are imported stays."""
WORKING = (50_000, 20, 20)


def starting() -> None:
    gc.set_threshold(*_STARTING)


@contextmanager
def working() -> Iterator[None]:
    """What is there by now stays: it is not gone through again and again, nor are the pages copied that processes share."""
    gc.set_threshold(*WORKING)
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
