"""What earlier checks saw: stored, judged, told. Importing this costs nothing; the store brings the database."""

from __future__ import annotations

from hvctl.history.place import HistoryError, Place, exists, place, secrets_in

__all__ = ["HistoryError", "Place", "exists", "place", "secrets_in"]
