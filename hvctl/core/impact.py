"""What a change costs, in the words that allow it."""

from __future__ import annotations

from typing import Literal, get_args

Impact = Literal["online", "disconnect", "move", "restart", "recreate", "destroy", "management"]
IMPACTS: tuple[Impact, ...] = get_args(Impact)
