"""Which Windows Server a simulated host says it is."""

from __future__ import annotations

from mocks.state import HostState

VERSIONS = {  # domain 1.1
    "2012": "6.2.9200",
    "2012r2": "6.3.9600",
    "2016": "10.0.14393",
    "2019": "10.0.17763",
    "2022": "10.0.20348",
    "2025": "10.0.26100",
}
POWERSHELL = {"2012": "3.0", "2012r2": "4.0"}


def build(state: HostState) -> int:
    return state.build or int(VERSIONS[state.os].rpartition(".")[2])


def powershell(state: HostState) -> str:
    return POWERSHELL.get(state.os, "5.1")


EDITIONS = {
    7: "Standard",
    8: "Datacenter",
    12: "Datacenter",
    13: "Standard",
    79: "Standard Evaluation",
    80: "Datacenter Evaluation",
}
"""By OperatingSystemSKU (operations 2); how each is written in a caption is [I]."""


def caption(state: HostState) -> str:
    """The Japanese one is our own: it is there to travel through every encoding."""
    version = {"2012r2": "2012 R2"}.get(state.os, state.os)
    edition = EDITIONS.get(state.sku, "Standard")
    return f"Microsoft Windows Server {version} {edition}" + (" 評価版" if state.language == "ja" else "")
