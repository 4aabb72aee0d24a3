"""Running out of files, ports, threads or memory on the control node: rare with few connections, and named as what it is."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable

import pytest
import requests.exceptions as http
from urllib3.connection import HTTPSConnection
from urllib3.exceptions import MaxRetryError, NewConnectionError, SSLError

from hvctl.call import defect
from hvctl.winrm.translation import fault_of
from tests.signals.conftest import Labs

FEW_FILES = """
import resource, sys
from hvctl.__main__ import entry
limit = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
sys.argv = ["hvctl", *sys.argv[2:]]
entry()
"""
ONE_FILE = """
import os, resource, sys
from dataclasses import replace
from hvctl.cli import main
from hvctl.fleet.connect import real_connect
import rich.console, winrm.protocol, requests_ntlm

resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
taken = []
try:
    while True:
        taken.append(os.open(os.devnull, os.O_RDONLY))
except OSError:
    os.close(taken.pop())
    os.close(taken.pop())  # an inventory is read with two
def quick(connection, wire):
    taken.append(os.open(os.devnull, os.O_RDONLY))
    return real_connect(connection, replace(wire, sleep=lambda seconds: None))
sys.exit(main(sys.argv[1:], quick))
"""
FEW_THREADS = """
import resource, sys, threading
from hvctl.cli import main
import apprise, sqlalchemy, winrm.protocol, requests_ntlm

used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
room = int(sys.argv[1]) << 20
threading.stack_size(256 << 20)
resource.setrlimit(resource.RLIMIT_AS, (used + room, used + room))
sys.exit(main(sys.argv[2:]))
"""


@pytest.mark.parametrize("verb", [("plan",), ("apply", "-y"), ("drift",)])
def test_more_hosts_than_files_are_no_trouble(lab: Labs, verb: tuple[str, ...]) -> None:
    at = lab(40)
    running = at.start("40", "--forks", "8", *verb, "lab.yml", program=("-c", FEW_FILES))
    status = running.ends(120)
    assert (status, "unreachable" in running.said) == (2 if verb == ("drift",) else 0, False), running.said
    assert all(e.shells.open == 0 for e in at.endpoints)
    assert all(e.actions().count("Create") == (2 if "apply" in verb else 1) for e in at.endpoints)


def test_more_forks_than_files_are_no_fault_of_hvctl(lab: Labs) -> None:
    """Whatever cannot be opened then: a socket, a file of hvctl's own, a module that is imported late."""
    at = lab(40)
    running = at.start("40", "--forks", "40", "plan", "lab.yml", program=("-c", FEW_FILES))
    status = running.ends(120)
    assert status in (0, 4) and "hvctl itself failed" not in running.said, running.said
    told = [line for line in running.said.splitlines() if "unreachable: " in line]
    assert all("this hvctl may open no more files" in line for line in told), told


def test_a_few_hosts_are_kept_open_between_plan_and_apply(lab: Labs) -> None:
    at = lab(3)
    assert at.hvctl("apply", "-y", "lab.yml")[0] == 0
    assert [e.actions().count("Create") for e in at.endpoints] == [1, 1, 1]
    assert at.hvctl("apply", "-y", "lab.yml")[0] == 0
    assert [e.actions().count("Delete") for e in at.endpoints] == [2, 2, 2]


def test_no_file_for_the_certificates_is_no_trouble_of_tls(lab: Labs) -> None:
    at = lab(1, scheme="https")
    running = at.start("plan", "lab.yml", program=("-c", ONE_FILE))
    assert running.ends() == 4
    assert "this hvctl may open no more files" in running.said
    assert "raise the limit (ulimit -n, now 64), or use a lower --forks" in running.said
    assert "TLS" not in running.said


def test_fewer_threads_than_forks_are_said(lab: Labs) -> None:
    at = lab(6)
    running = at.start("700", "plan", "lab.yml", program=("-c", FEW_THREADS))
    assert running.ends() == 0, running.said
    assert "hosts at a time, not 16: this machine starts no more threads" in running.said
    running = at.start("100", "plan", "lab.yml", program=("-c", FEW_THREADS))
    assert running.ends() == 1
    assert "this machine starts no thread: can't start new thread" in running.said


def raised(outer: Callable[[Exception], Exception], inner: Exception) -> Exception:
    try:
        try:
            raise inner
        except Exception as error:
            raise outer(error) from error
    except Exception as error:
        return error


CONNECTION = HTTPSConnection("127.0.0.1")


def wrapped(number: int) -> Exception:
    """As requests gives it when a socket cannot be had."""
    reason = raised(lambda e: NewConnectionError(CONNECTION, f"failed: {e}"), OSError(number, os.strerror(number)))
    return http.ConnectionError(MaxRetryError(None, "/wsman", reason))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "text", "executed"),
    [
        (wrapped(errno.EMFILE), "this hvctl may open no more files", "no"),
        (wrapped(errno.ENFILE), "this machine opens no more files", "no"),
        (wrapped(errno.EADDRNOTAVAIL), "this machine has no local port or address for it", "no"),
        (wrapped(errno.ENOBUFS), "this machine has no memory left", "unknown"),
        (
            http.SSLError(MaxRetryError(None, "/", SSLError(OSError(errno.EMFILE, "Too many open files")))),  # type: ignore[arg-type]
            "this hvctl may open no more files",
            "no",
        ),
        (MemoryError(), "this machine has no memory left", "unknown"),
        (RuntimeError("can't start new thread"), "this machine starts no more threads", "unknown"),
    ],
)
def test_what_is_short_is_named(error: Exception, text: str, executed: str) -> None:
    fault = fault_of(error, "hv01:5986")
    assert fault.text == f"no connection to hv01:5986: {text}"
    assert fault.hint
    assert fault.executed == executed


def test_what_is_short_is_no_fault_of_hvctl_wherever_it_strikes() -> None:
    fault = defect(
        OSError(errno.EMFILE, "Too many open files", "runner.ps1"), executed="unknown", doing="after the changes"
    )
    assert fault.message == "this hvctl may open no more files, after the changes"
    assert (fault.defect, fault.executed) == ("", "unknown")
    assert "use a lower --forks" in fault.hint
    assert defect(KeyError("x")).defect


def test_other_faults_stay_what_they_are() -> None:
    assert fault_of(wrapped(errno.ECONNREFUSED), "hv01:5986").kind == "refused"
    error = raised(http.ConnectionError, socket.gaierror(-2, "Name or service not known"))
    assert fault_of(error, "hv01:5986").kind == "name"
