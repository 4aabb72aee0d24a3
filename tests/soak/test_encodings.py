"""All tests of the command line, with outputs that lack most characters."""

from __future__ import annotations

import os

import pytest

from tests.test_output import ENCODINGS, run_the_command_lines_tests


@pytest.mark.skipif(not os.environ.get("HVCTL_SOAK"), reason="a part of them runs in tests/test_output.py")
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_the_whole_command_line(encoding: str) -> None:
    run_the_command_lines_tests(encoding)
