"""Seed images: what is in them, and that they are the same whenever they are made."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO

import pycdlib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hvctl.core.bundle import joined, parted
from hvctl.kinds._iso import iso

FILES = {"user-data": b"#cloud-config\n", "meta-data": b"x" * 5000, "network-config": "schöne Grüße\n".encode()}


def opened(image: bytes) -> pycdlib.PyCdlib:
    made = pycdlib.PyCdlib()
    made.open_fp(BytesIO(image))
    return made


def contents(image: bytes, **root: str) -> dict[str, bytes]:
    made, found = opened(image), {}
    ((way, top),) = root.items()
    for child in made.list_children(**{way: top}):
        if child.is_file():
            name = child.rock_ridge.name().decode() if way == "rr_path" else child.file_identifier().decode("utf-16-be")
            out = BytesIO()
            made.get_file_from_iso_fp(out, **{way: f"/{name}"})
            found[name] = out.getvalue()
    return found


@pytest.mark.parametrize("way", ["rr_path", "joliet_path"])
def test_every_reader_sees_the_names_and_bytes_as_given(way: str) -> None:
    assert contents(iso("CIDATA", FILES), **{way: "/"}) == FILES


def test_the_label_is_the_one_that_is_looked_for() -> None:
    image = iso("CIDATA", FILES)
    assert image[16 * 2048 + 40 : 16 * 2048 + 72].decode().rstrip() == "CIDATA"
    assert opened(image).pvd.volume_identifier.decode().rstrip() == "CIDATA"


def dates(made: pycdlib.PyCdlib) -> Iterator[int]:
    for descriptor in (made.pvd, made.joliet_vd):
        assert descriptor is not None
        for date in (descriptor.volume_creation_date, descriptor.volume_effective_date):
            yield date.year
    for way in ("iso_path", "joliet_path"):
        for child in made.list_children(**{way: "/"}):
            yield 1900 + child.date.years_since_1900
            if child.rock_ridge is not None and (entry := child.rock_ridge.dr_entries.tf_record) is not None:
                for name in ("access_time", "modification_time", "attribute_change_time"):
                    if (date := getattr(entry, name)) is not None:
                        yield 1900 + date.years_since_1900


def test_it_holds_no_time_of_its_making() -> None:
    found = list(dates(opened(iso("CIDATA", FILES))))
    assert len(found) > 20
    assert set(found) == {2000}
    modified = iso("CIDATA", FILES)[16 * 2048 + 830 : 16 * 2048 + 847]
    assert modified == b"2000010100000000\0"


@given(st.dictionaries(st.sampled_from(["user-data", "meta-data", "network-config", "a b (3 bytes)"]), st.binary()))
def test_texts_that_were_joined_come_apart_again(parts: dict[str, bytes]) -> None:
    assert parted(joined(parts)) == parts


@pytest.mark.parametrize("whole", [b"x", b"==== a (5 bytes)\nab\n", b"==== a (1 bytes)\nab\n", b"==== a (1 bytes)\na"])
def test_what_was_not_joined_does_not_come_apart(whole: bytes) -> None:
    with pytest.raises(ValueError, match="it is not what"):
        parted(whole)
