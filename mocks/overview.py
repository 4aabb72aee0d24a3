"""A look at the overview of a dashboard, as JSON: its counters, and which of them are not as expected."""

from __future__ import annotations

import json
import sys
import time
import urllib.request
from collections.abc import Mapping

STARTS_S = 60.0
"""A dashboard starts within this, on a machine that does much else."""


def look(page: str, wanted: Mapping[str, int]) -> int:
    """Print the counters of a dashboard that was just started: 0 if they are as wanted, 1 if not, or if nothing answers."""
    request = urllib.request.Request(page, headers={"Accept": "application/json"})
    ends = time.monotonic() + STARTS_S
    while True:
        try:
            with urllib.request.urlopen(request, timeout=STARTS_S) as answer:
                told = json.load(answer)
            break
        except OSError as error:  # also urllib's own
            if time.monotonic() > ends:
                print(f"{page}: {error}", file=sys.stderr)
                return 1
            time.sleep(0.2)
    found = told["counts"]["states"]
    print(json.dumps(told["counts"]))
    for site, counts in told["groups"].items():
        print(f"{site}: {json.dumps(counts['states'])}")
    wrong = {name for name in wanted.keys() | found.keys() if wanted.get(name, 0) != found.get(name, 0)}
    for name in sorted(wrong):
        print(f"{page}: {name} is {found.get(name, 0)}, and {wanted.get(name, 0)} was expected", file=sys.stderr)
    return 1 if wrong else 0
