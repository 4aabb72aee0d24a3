"""Microsoft's published keys of Automatic Virtual Machine Activation: the same for everybody, and no secret.

https://learn.microsoft.com/windows-server/get-started/automatic-vm-activation; those of 2025 by public files that quote that
page's tab of 2025 (domain 19).
"""

from __future__ import annotations

from collections.abc import Mapping

AVMA_KEYS: Mapping[str, Mapping[str, str]] = {
    "2012 R2": {
        "datacenter": "Y4TGP-NPTV9-HTC2H-7MGQ3-DV4TW",
        "standard": "DBGBW-NPF86-BJVTX-K3WKJ-MTB6V",
        "essentials": "K2XGM-NMBT3-2R6Q8-WF2FK-P36R2",
    },
    "2016": {
        "datacenter": "TMJ3Y-NTRTM-FJYXT-T22BY-CWG3J",
        "standard": "C3RCX-M6NRP-6CXC9-TW2F2-4RHYD",
        "essentials": "B4YNW-62DX9-W8V6M-82649-MHBKQ",
    },
    "2019": {
        "datacenter": "H3RNG-8C32Q-Q8FRX-6TDXV-WMBMW",
        "standard": "TNK62-RXVTB-4P47B-2D623-4GF74",
        "essentials": "2CTP7-NHT64-BP62M-FV6GG-HFV28",
    },
    "2022": {
        "datacenter": "W3GNR-8DDXR-2TFRP-H8P33-DV9BG",
        "datacenter azure edition": "F7TB6-YKN8Y-FCC6R-KQ484-VMK3J",
        "standard": "YDFWN-MJ9JR-3DYRK-FXXRW-78VHK",
    },
    "2025": {
        "datacenter": "YQB4H-NKHHJ-Q6K4R-4VMY6-VCH67",
        "datacenter azure edition": "6NMQ9-T38WF-6MFGM-QYGYM-88J4F",
        "standard": "WWVGQ-PNHV9-B89P4-8GGM9-9HPQ4",
    },
}


class NoSuchKeyError(ValueError):
    """No key is published for that; `hint` says for what there is one."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def avma_key(version: object, edition: object = "datacenter") -> str:
    """Of a guest: `avma_key('2022', 'standard')`. Versions as in guest_os do too. Raises NoSuchKeyError."""
    wanted = _plain(version).removeprefix("windows server ").removeprefix("server ").replace("2012r2", "2012 r2")
    keys = next((keys for name, keys in AVMA_KEYS.items() if name.casefold() == wanted), None)
    if keys is None:
        raise NoSuchKeyError(f"no AVMA key is published for {version}", f"there are keys for {', '.join(AVMA_KEYS)}")
    named = _plain(edition)
    named = "datacenter azure edition" if named in ("azure", "azure edition") else named
    if named not in keys:
        said = f"no AVMA key is published for the edition {edition} of {version}"
        raise NoSuchKeyError(said, f"there are keys for {', '.join(keys)}")
    return keys[named]


def _plain(value: object) -> str:
    return " ".join(str(value).casefold().replace("_", " ").replace("-", " ").replace(":", " ").split())
