"""The answer file of Windows Setup for a new Windows guest (operations 3.3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar
from xml.etree import ElementTree

from pydantic import Field

from hvctl.contract import OS
from hvctl.core.changes import finding
from hvctl.kinds._seed import Seed
from hvctl.kinds.cloud_init import CloudInit
from hvctl.text.diagnostic import Diagnostic

_NAMES = ("Autounattend.xml", "Unattend.xml")
"""Setup looks for the first when it installs, for the second after sysprep."""


class Unattend(Seed):
    """An answer file for Windows Setup, made from a template beside the playbook with the host's variables and `vm`, as an
    image in a DVD drive before the first start of a new VM; `unattend: templates/unattend.xml` for short. See
    [images](images.md#configuration-at-the-first-start). `ensure: absent` ejects it and removes the file."""

    kind: ClassVar[str] = "unattend"
    section: ClassVar[str] = "unattend"
    shorthand: ClassVar[str] = "template"
    label: ClassVar[str] = "UNATTEND"
    word: ClassVar[str] = "unattend"
    other_words: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("answer_file", "source", "src", "xml"), "template"),
        **dict.fromkeys(("iso", "destination", "file"), "path"),
    }

    template: Annotated[str, Field(min_length=1)] | None = None

    def templates(self) -> Iterator[tuple[str, str, str]]:
        if self.template is not None:
            yield "unattend.xml", "template", self.template

    def files(self, parts: Mapping[str, bytes]) -> Mapping[str, bytes]:
        return dict.fromkeys(_NAMES, parts["unattend.xml"])

    def check(self, parts: Mapping[str, bytes]) -> Iterator[Diagnostic]:
        data = parts["unattend.xml"]
        if b"<!DOCTYPE" in data:
            yield finding("template", "an answer file has no DOCTYPE", "remove it")
            return
        try:
            root = ElementTree.fromstring(data)
        except ElementTree.ParseError as error:
            line, column = error.position
            yield finding("template", f"what it gives is not XML, at line {line}, column {column + 1}", "correct it")
            return
        if root.tag.rpartition("}")[2] != "unattend":
            yield finding("template", f"its root is <{root.tag}>, not <unattend>", "name an answer file")

    def rules(self, os: OS) -> Iterator[Diagnostic]:
        yield from super().rules(os)
        if not self.absent and self.template is None:
            yield finding("", "unattend needs a template", "write `template: …` with the name of a file")
        if not self.absent and any(not p.absent for p in self.vm.parts_of(CloudInit)):
            yield finding("", "a guest is configured by cloud_init or by unattend, not by both", "remove one")
