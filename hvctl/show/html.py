"""A check as one HTML file: no outside links, no scripts; for a phone, a desk, a printer, by day and by night."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup

from hvctl import __version__
from hvctl.core.check import Check
from hvctl.language import said, spoken
from hvctl.show.page import page_of


def rendered(check: Check) -> str:
    folder = files("hvctl.show").joinpath("templates")
    style = folder.joinpath("check.css").read_text(encoding="utf-8")
    source = folder.joinpath("check.html.j2").read_text(encoding="utf-8")
    environment = Environment(
        loader=DictLoader({"check": source}),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["_"] = said
    # The page may load nothing and run nothing; its one style sheet is named by its hash.
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return environment.get_template("check").render(
        page=page_of(check), style=Markup(style), digest=digest, version=__version__, language=spoken()
    )
