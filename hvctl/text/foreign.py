"""The mark, in annotations, of text that is not hvctl's."""

from __future__ import annotations

from typing import Annotated

FOREIGN = "foreign"
Foreign = Annotated[str, FOREIGN]
"""A free text of the host's or the user's: no word of it is hvctl's. Names, words and numbers of Hyper-V are none."""
