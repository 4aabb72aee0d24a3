"""How hvctl is started, as the console script and as `python -m hvctl`: signals end it quietly from the first moment on."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
from contextlib import suppress
from typing import NoReturn


def entry() -> NoReturn:
    """Nothing of hvctl is imported before somebody hears Ctrl-C, SIGTERM and SIGHUP: that takes up to a second."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)  # Windows knows no hangup
        if number is not None and (name != "SIGHUP" or signal.getsignal(number) != signal.SIG_IGN):  # under nohup(1)
            signal.signal(number, _ended)
    from hvctl import completion  # noqa: PLC0415

    if completion.asked(os.environ):
        text, status = completion.answer()
        with suppress(OSError):
            print(text, flush=True)
        os._exit(status)
    from hvctl.text.garbage import starting  # noqa: PLC0415

    starting()
    from hvctl.cli import main  # noqa: PLC0415

    status = main()
    if threading.active_count() > 1:
        # A thread that is inside a request of a host that does not answer may not hold up the end.
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError):
                stream.flush()
        os._exit(status)
    gc.freeze()  # it all goes with the process, and is not looked through once more
    sys.exit(status)


def _ended(number: int, frame: object) -> NoReturn:
    """Before there is anything to finish, and after all is."""
    os._exit(128 + number)


if __name__ == "__main__":
    entry()
