"""A server of PostgreSQL for the tests of a worker."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import requirements
from tests.history.postgresql import Server, served


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    with served(requirements.postgresql()) as server:
        yield server
