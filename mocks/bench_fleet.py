"""What a drift check of a whole fleet costs, as it is typed: `hvctl drift` against hosts whose answers are replayed."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mocks.bench_server import elsewhere
from mocks.playback import Pace, Playback, run
from mocks.tls import Authority, make_authority

PACE = Pace(round_trip=0.05, host=1.0)
VMS = 10
SAMPLED_S = 0.2
LAUNCHED = "from hvctl.__main__ import entry; entry()"


@dataclass(frozen=True)
class Checked:
    """CPU is of all processes of the control node, start-up and the reading of the playbook for each host included; memory is
    theirs at its peak, what they share counted once. `load`: of the machine for the last minute, when it began."""

    wall_s: float
    cpu_ms_per_host: float
    peak_mb: float
    requests_per_host: float
    kb_per_host: float
    load: float


def rows(
    playbook_of: Callable[[int], str],
    state_of: Callable[[int], dict[str, Any]],
    sizes: Sequence[int],
    ways: Sequence[tuple[str, Sequence[str]]] = (("", ()),),
) -> list[dict[str, Any]]:
    """`ways`: what is said of each, and the options of hvctl itself that it is."""
    found = []
    for hosts in sizes:
        for said, options in ways:
            with served(state_of(VMS), hosts, PACE) as (ports, counted), tempfile.TemporaryDirectory() as folder:
                written(Path(folder), ports, playbook_of(VMS))
                one = checked(Path(folder), hosts, options, counted)
            scenario = f"drift, {hosts:,} hosts, {VMS} VMs each, 50 ms away{said}"
            found.append({"scenario": scenario, "ours": asdict(one)})
    return found


def written(folder: Path, ports: Sequence[int], playbook: str) -> None:
    """The inventory and the playbook."""
    lines = [
        "all:",
        "  vars: {ansible_connection: winrm, ansible_user: bench, ansible_password: !env BENCH_PASSWORD,",
        f"    ansible_winrm_transport: ntlm, ansible_winrm_ca_trust_path: {Path('build/bench/ca.pem').absolute()}}}",
        "  hosts:",
    ]
    lines += [f"    hv{n:04}: {{ansible_host: 127.0.0.1, ansible_port: {port}}}" for n, port in enumerate(ports)]
    (folder / "inventory.yml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "fleet.yml").write_text(playbook, encoding="utf-8")


def checked(folder: Path, hosts: int, options: Sequence[str], counted: Callable[[], tuple[int, int]]) -> Checked:
    environment = {**os.environ, "XDG_STATE_HOME": str(folder / "state"), "BENCH_PASSWORD": "bench-Pa55"}
    words = [*options, "drift", str(folder / "fleet.yml"), "--history", str(folder / "history.db")]
    load, began = os.getloadavg()[0], time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-c", LAUNCHED, "-i", str(folder / "inventory.yml"), *words],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    peak = 0.0
    while True:
        pid, status, used = os.wait4(process.pid, os.WNOHANG)
        if pid:
            break
        peak = max(peak, _memory(process.pid))
        time.sleep(SAMPLED_S)
    wall = time.monotonic() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.stdout is not None
    said = process.stdout.read()
    process.stdout.close()
    if process.returncode != 0:
        raise RuntimeError(f"the check ended with {process.returncode}: {said[-2000:]}")
    requests, size = counted()
    cpu = used.ru_utime + used.ru_stime
    return Checked(
        round(wall, 1),
        round(cpu * 1000 / hosts, 1),
        round(peak),
        round(requests / hosts, 1),
        round(size / hosts / 1000, 1),
        round(load, 1),
    )


def _memory(pid: int) -> float:
    """MB of a process and all that it has started (Linux: proportional set size); 0 where the machine does not say."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
        own = next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1000
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        begun = [word for task in tasks for word in (task / "children").read_text(encoding="ascii").split()]
    except (OSError, StopIteration):
        return 0.0
    return own + sum(_memory(int(child)) for child in begun)


def served(
    state: dict[str, Any], hosts: int, pace: Pace
) -> AbstractContextManager[tuple[list[int], Callable[[], tuple[int, int]]]]:
    """Ports of so many hosts in another process, and what says requests (without handshakes) and bytes of SOAP so far."""
    return elsewhere(_serve, state, hosts, pace, make_authority(Path("build/bench")))


def _serve(pipe: Any, state: dict[str, Any], hosts: int, pace: Pace, authority: Authority) -> None:
    playback = Playback(state, hosts, pace, authority.context())

    def until_told() -> None:
        while pipe.recv() != "end":
            pipe.send((playback.requests.total() - playback.requests["handshake"], playback.bytes))

    run(lambda one: pipe.send(one.ports), until_told, playback)
