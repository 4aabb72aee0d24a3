"""cloud-init's configuration for a new Linux guest, as a NoCloud seed (operations 3.3)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field

from hvctl.contract import OS
from hvctl.core.changes import finding
from hvctl.kinds._seed import Seed
from hvctl.text.diagnostic import Diagnostic

_BEGINNINGS = (b"#", b"Content-Type:", b"MIME-Version:", b"From ")
"""Of the kinds of user data that cloud-init knows: #cloud-config, #!, #include, ## template: jinja, MIME."""

Template = Annotated[str, Field(min_length=1)]


class CloudInit(Seed):
    """A seed image for cloud-init (NoCloud), made from templates beside the playbook with the host's variables and `vm`, and
    in a DVD drive before the first start of a new VM. Without `meta_data` the instance is called as the VM is. See
    [images](images.md#configuration-at-the-first-start). `ensure: absent` ejects it and removes the file."""

    kind: ClassVar[str] = "cloud_init"
    section: ClassVar[str] = "cloud_init"
    label: ClassVar[str] = "CIDATA"
    word: ClassVar[str] = "cloud-init"
    other_words: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("userdata", "user-data", "config", "template"), "user_data"),
        **dict.fromkeys(("metadata", "meta-data"), "meta_data"),
        **dict.fromkeys(("network", "network-config", "network_data"), "network_config"),
        **dict.fromkeys(("vendordata", "vendor-data"), "vendor_data"),
        **dict.fromkeys(("iso", "destination", "file"), "path"),
    }

    user_data: Template | None = None
    meta_data: Template | None = None
    network_config: Template | None = None
    vendor_data: Template | None = None

    def templates(self) -> Iterator[tuple[str, str, str]]:
        for field in ("user_data", "meta_data", "network_config", "vendor_data"):
            if (name := getattr(self, field)) is not None:
                yield field.replace("_", "-"), field, name

    def generated(self, written: Mapping[str, Any]) -> dict[str, bytes]:
        """meta-data must be there, and its instance-id says what is a first start."""
        name = json.dumps(str(written.get("name", "")), ensure_ascii=False)  # JSON is YAML
        return {"meta-data": f"instance-id: {name}\nlocal-hostname: {name}\n".encode()}

    def check(self, parts: Mapping[str, bytes]) -> Iterator[Diagnostic]:
        if (data := parts.get("user-data", b"")) and not data.startswith(_BEGINNINGS):
            text = "cloud-init knows user data by its first line, such as #cloud-config, and would pass over this"
            yield finding("user_data", text, "begin the template with #cloud-config", "warning")
        if b"instance-id" not in parts.get("meta-data", b""):
            yield finding("meta_data", "meta data without an instance-id is refused by cloud-init", "write one")

    def rules(self, os: OS) -> Iterator[Diagnostic]:
        yield from super().rules(os)
        if not self.absent and self.user_data is None:
            yield finding("", "cloud_init needs user data", "write `user_data: …` with the name of a template")
