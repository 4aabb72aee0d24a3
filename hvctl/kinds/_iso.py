"""A small ISO 9660 image with a few files in its root, the same bytes whenever it is made (operations 3.4)."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO

_SECTOR = 2048
_FIRST_DESCRIPTOR, _LAST = 16, 255
_DATES = (813, 830, 864)
"""Of a volume descriptor: creation, modification, effective (ECMA-119 8.4.26 to 8.4.29)."""
_DATE = b"2000010100000000\0"
_SHORT_DATE = bytes((100, 1, 1, 0, 0, 0, 0))
"""The same day in a directory record (ECMA-119 9.1.5)."""


class NoLibraryError(Exception):
    """pycdlib is not installed."""


def iso(label: str, files: Mapping[str, bytes]) -> bytes:
    """With Joliet and Rock Ridge names, so that Windows and Linux see them as written. Raises NoLibraryError."""
    try:
        import pycdlib  # noqa: PLC0415 - for those who have it
    except ImportError as error:
        raise NoLibraryError from error
    made = pycdlib.PyCdlib()
    made.new(interchange_level=3, joliet=3, rock_ridge="1.09", vol_ident=label)
    for number, (name, data) in enumerate(files.items()):
        made.add_fp(BytesIO(data), len(data), f"/FILE{number}.;1", rr_name=name, joliet_path=f"/{name}")
    out = BytesIO()
    made.write_fp(out)
    made.close()
    image = bytearray(out.getvalue())
    _undate(image)
    return bytes(image)


def _undate(image: bytearray) -> None:
    """Two builds differ in their time stamps alone (operations 3.4)."""
    at = _FIRST_DESCRIPTOR * _SECTOR
    while (kind := image[at]) != _LAST:
        if kind in (1, 2):  # primary, Joliet
            for offset in _DATES:
                image[at + offset : at + offset + len(_DATE)] = _DATE
            _undate_record(image, at + 156)
            _undate_folder(image, _number(image, at + 156 + 2) * _SECTOR, _number(image, at + 156 + 10))
        at += _SECTOR


def _undate_folder(image: bytearray, start: int, size: int) -> None:
    for sector in range(start, start + size, _SECTOR):  # no record crosses a sector
        at = sector
        while at < sector + _SECTOR and image[at]:
            _undate_record(image, at)
            at += image[at]


def _undate_record(image: bytearray, at: int) -> None:
    """And the time stamps of Rock Ridge behind its name (entries TF)."""
    image[at + 18 : at + 25] = _SHORT_DATE
    end, named = at + image[at], image[at + 32]
    use = at + 33 + named + (named + 1) % 2
    while use + 4 <= end and (length := image[use + 2]) >= 4:
        if image[use : use + 2] == b"TF":
            count = (length - 5) // len(_SHORT_DATE)
            image[use + 5 : use + 5 + count * len(_SHORT_DATE)] = _SHORT_DATE * count
        use += length


def _number(image: bytearray, at: int) -> int:
    return int.from_bytes(image[at : at + 4], "little")
