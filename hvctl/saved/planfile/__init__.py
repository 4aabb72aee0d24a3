"""Plan ⇄ file: what is desired of each host, and the steps that a plan made of it, to tell whether it is still the same.

A plan file is trusted as a playbook is and no further (docs/security.md). Nothing in it is ever run: the steps are compared
with those that are planned anew.
"""

from hvctl.saved.planfile.reader import Saved, SavedHost, load
from hvctl.saved.planfile.writer import save

__all__ = ["Saved", "SavedHost", "load", "save"]
