"""What these tests share with those of single faults."""

from tests.faults.conftest import authority, folder

__all__ = ["authority", "folder"]
