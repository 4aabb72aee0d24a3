"""What one host may take of the control node: bytes, rows and time, each with the variable that raises it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """`response`: bytes of one HTTP answer; hvctl asks for envelopes of 150 KB, and WinRM's own limit is 500 KB
    (MaxEnvelopeSizekb). `line`: bytes of one line of the runner's, which holds one object or some 30 KB of them.
    `output`, `rows`: of one batch; a host with 1,024 VMs answers some 10 MB. `seconds`: of one request, from the
    connection to the last byte of its answer."""

    response: int = 4 << 20
    line: int = 8 << 20
    output: int = 64 << 20
    rows: int = 250_000
    seconds: float = 90.0


OTHER_LINES = 100_000
"""Of one batch, beside those of rows: a step that tells its progress every second does so 86,400 times a day."""
VARIABLES = {
    "response": "hvctl_response_limit",
    "line": "hvctl_line_limit",
    "output": "hvctl_output_limit",
    "rows": "hvctl_row_limit",
    "seconds": "hvctl_request_timeout",
}
"""A field of Limits → the inventory variable that sets it."""
