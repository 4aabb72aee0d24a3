"""Guest operating systems: what each of them can do on which Windows Server, as data with a source per row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from hvctl.contract import OS
from hvctl.kinds._types import GB, Words
from hvctl.text.source import suggest
from hvctl.text.visible import quoted

Family = Literal["windows", "linux", "freebsd"]

_LISTED = "https://learn.microsoft.com/windows-server/virtualization/hyper-v/"
WINDOWS = f"{_LISTED}supported-windows-guest-operating-systems-for-hyper-v-on-windows"
GENERATIONS = f"{_LISTED}plan/should-i-create-a-generation-1-or-2-virtual-machine-in-hyper-v"
FEATURES = f"{_LISTED}hyper-v-feature-compatibility-by-generation-and-guest"
RED_HAT = f"{_LISTED}supported-centos-and-red-hat-enterprise-linux-virtual-machines-on-hyper-v"
UBUNTU = f"{_LISTED}supported-ubuntu-virtual-machines-on-hyper-v"
DEBIAN = f"{_LISTED}supported-debian-virtual-machines-on-hyper-v"
SUSE = f"{_LISTED}supported-suse-virtual-machines-on-hyper-v"
ORACLE = f"{_LISTED}supported-oracle-linux-virtual-machines-on-hyper-v"
FREEBSD = f"{_LISTED}supported-freebsd-virtual-machines-on-hyper-v"
WINDOWS_11 = "https://learn.microsoft.com/windows/whats-new/windows-11-requirements"
DOMAIN = "domain 5.3"

_ALL: tuple[OS, ...] = ("2012", "2012r2", "2016", "2019", "2022", "2025")
_FROM_R2, _FROM_2016, _FROM_2019, _FROM_2022 = (_ALL[n:] for n in (1, 2, 3, 4))
_R2_TO_2022, _R2_TO_2019 = _ALL[1:5], _ALL[1:4]


@dataclass(frozen=True)
class GuestSystem:
    """One guest system. None: the sources do not say, so no rule is made of it.

    `hosts`: the versions of Windows Server whose pages list it. `generations`: of VMs that it starts in. `signed`: its
    boot loader starts under secure boot, with the template of its family. `processors`: the most it is supported with.
    `dynamic_memory`: it takes and gives memory. `memory_resize`: and while that is static. `file_copy`: it takes files
    from the host. `online_resize`: it sees a disk grow while it runs. `whole_processor`: it does not start with the
    processor's newer instructions hidden. `tpm`, `least_processors`, `least_memory` (bytes): its setup asks for them.
    """

    title: str
    family: Family
    source: tuple[str, ...]
    hosts: tuple[OS, ...] | None = None
    generations: tuple[int, ...] = (1, 2)
    signed: bool | None = True
    processors: int | None = None
    dynamic_memory: bool | None = True
    memory_resize: bool | None = None
    file_copy: bool | None = True
    online_resize: bool | None = None
    whole_processor: bool = False
    tpm: bool = False
    least_processors: int = 1
    least_memory: int = 0


def _windows(
    title: str,
    hosts: tuple[OS, ...],
    processors: int | None,
    *,
    generations: tuple[int, ...] = (1, 2),
    memory_resize: bool = True,  # hot add of memory came with Server 2016 and Windows 10 (domain 7)
    file_copy: bool | None = None,
    source: tuple[str, ...] = (WINDOWS, GENERATIONS),
) -> GuestSystem:
    return GuestSystem(
        title, "windows", source, hosts, generations, 2 in generations, processors, dynamic_memory=None,
        memory_resize=memory_resize, file_copy=file_copy,
    )  # fmt: skip


def _linux(
    title: str, hosts: tuple[OS, ...], *source: str, memory_resize: bool | None = True, online_resize: bool = True
) -> GuestSystem:
    return GuestSystem(
        title, "linux", source, hosts, memory_resize=memory_resize, online_resize=online_resize
    )  # fmt: skip


def _linux_listed(title: str, *source: str, signed: bool | None = True) -> GuestSystem:
    """Of a version that has no map of its features."""
    return GuestSystem(
        title, "linux", source, _FROM_2016, signed=signed, dynamic_memory=None, file_copy=None
    )  # fmt: skip


def _freebsd(
    title: str, hosts: tuple[OS, ...], *source: str, generations: tuple[int, ...] = (1, 2), online_resize: bool = True
) -> GuestSystem:
    """No secure boot, no memory that changes, no file copy in any of them."""
    return GuestSystem(
        title, "freebsd", source, hosts, generations, signed=False, dynamic_memory=False, memory_resize=False,
        file_copy=False, online_resize=online_resize,
    )  # fmt: skip


# The pages speak of hosts from 2016 on; for those before, domain 5.3, and guests that are no younger than the host. The
# newest pages list Windows Server one version ahead of its host: 2022 on 2019, 2025 on 2022. Processors of Server 2016 and
# later are as many as its own Hyper-V gives (domain 21). Windows before 8 has no loader for generation 2 (domain 5.3); of
# the Guest Service Interface only Server 2008 R2 is said to lack it (domain 11.1).
GUEST_SYSTEMS: Mapping[str, GuestSystem] = {
    "windows_7": _windows(
        "Windows 7 SP1", _ALL, 4, generations=(1,), memory_resize=False, source=(WINDOWS, DOMAIN)
    ),
    "windows_8": _windows("Windows 8", _ALL[:5], None, memory_resize=False, source=(DOMAIN,)),
    "windows_8_1": _windows("Windows 8.1", _FROM_R2, 32, memory_resize=False, source=(WINDOWS, DOMAIN)),
    "windows_10": _windows("Windows 10", _FROM_R2, 32),
    "windows_11": GuestSystem(
        "Windows 11", "windows", (WINDOWS, GENERATIONS, WINDOWS_11), _FROM_2019, (2,), processors=32, dynamic_memory=None,
        memory_resize=True, file_copy=None, whole_processor=True, tpm=True, least_processors=2, least_memory=4 * GB,
    ),
    "windows_server_2008": _windows(
        "Windows Server 2008 SP2", _ALL, 8, generations=(1,), memory_resize=False,
        source=(WINDOWS, DOMAIN),
    ),
    "windows_server_2008_r2": _windows(
        "Windows Server 2008 R2 SP1", _ALL, 64, generations=(1,), memory_resize=False, file_copy=False,
        source=(WINDOWS, "domain 5.3, 11.1"),
    ),
    "windows_server_2012": _windows("Windows Server 2012", _ALL, 64, memory_resize=False),
    "windows_server_2012_r2": _windows("Windows Server 2012 R2", _FROM_R2, 64, memory_resize=False),
    "windows_server_2016": _windows("Windows Server 2016", _FROM_2016, 240),
    "windows_server_2019": _windows("Windows Server 2019", _FROM_2019, 240),
    "windows_server_2022": _windows("Windows Server 2022", _FROM_2019, 1024),
    "windows_server_2025": _windows("Windows Server 2025", _FROM_2022, 2048),
    "ubuntu_14_04": _linux("Ubuntu 14.04", _FROM_R2, UBUNTU, GENERATIONS),
    "ubuntu_16_04": _linux("Ubuntu 16.04", _FROM_R2, UBUNTU, GENERATIONS),
    "ubuntu_18_04": _linux("Ubuntu 18.04", _FROM_R2, UBUNTU, GENERATIONS),
    "ubuntu_20_04": _linux("Ubuntu 20.04", _FROM_R2, UBUNTU, GENERATIONS),
    "ubuntu_22_04": _linux_listed("Ubuntu 22.04", GENERATIONS, FEATURES),
    "ubuntu_24_04": _linux_listed("Ubuntu 24.04", GENERATIONS, FEATURES),
    "debian_10": _linux("Debian 10", _FROM_R2, DEBIAN, GENERATIONS),
    "debian_11": _linux("Debian 11", _FROM_R2, DEBIAN, GENERATIONS),
    "debian_12": _linux_listed("Debian 12", GENERATIONS, signed=None),
    # RHEL 7 resizes static memory with Microsoft's package of services only; disks from 7.2 on.
    "rhel_7": _linux("Red Hat Enterprise Linux 7", _FROM_R2, RED_HAT, DOMAIN, memory_resize=None),
    "rhel_8": _linux("Red Hat Enterprise Linux 8", _FROM_2016, RED_HAT, GENERATIONS),
    "rhel_9": _linux("Red Hat Enterprise Linux 9", _FROM_2016, RED_HAT, GENERATIONS),
    "rhel_10": _linux("Red Hat Enterprise Linux 10", _FROM_2016, RED_HAT, GENERATIONS),
    "centos_7": _linux("CentOS 7", _FROM_R2, RED_HAT, DOMAIN, memory_resize=None),
    "centos_8": _linux("CentOS 8", _FROM_2016, RED_HAT, GENERATIONS),
    "centos_9": _linux("CentOS 9", _FROM_2016, RED_HAT, GENERATIONS),
    "oracle_linux_7": _linux("Oracle Linux 7", _R2_TO_2022, ORACLE, DOMAIN, memory_resize=None),
    "oracle_linux_8": _linux("Oracle Linux 8", _FROM_R2, ORACLE, GENERATIONS),
    "oracle_linux_9": _linux("Oracle Linux 9", _FROM_R2, ORACLE, GENERATIONS),
    # SLES 12 resizes static memory from SP2 on.
    "sles_12": _linux("SUSE Linux Enterprise Server 12", _FROM_R2, SUSE, GENERATIONS, memory_resize=None),
    "sles_15": _linux("SUSE Linux Enterprise Server 15", _FROM_R2, SUSE, GENERATIONS),
    "freebsd_10": _freebsd("FreeBSD 10", _R2_TO_2019, FREEBSD, generations=(1,), online_resize=False),
    "freebsd_11": _freebsd("FreeBSD 11", _FROM_R2, FREEBSD, GENERATIONS),
    "freebsd_12": _freebsd("FreeBSD 12", _FROM_R2, FREEBSD, GENERATIONS),
    # The map of features ends with 12; what it has not is taken to be lacking in 13 too.
    "freebsd_13": _freebsd("FreeBSD 13", _FROM_2016, FREEBSD, GENERATIONS),
    # Of one that is not in the table, what holds of all of them (domain 18).
    "linux": GuestSystem(
        "Linux", "linux", ("domain 18",), signed=None, dynamic_memory=None, file_copy=None, online_resize=None
    ),
}  # fmt: skip
"""By the word of the playbook."""


class _Systems(Words):
    """The words of the table, too many to list in a message."""

    listed = "a word of [guest systems](guest-systems.md)"

    def check(self, value: Any) -> Any:
        word = (
            value.casefold().replace("-", "_").replace(".", "_").replace(" ", "_") if isinstance(value, str) else value
        )
        if word is None or (isinstance(word, str) and word in self.names):
            return word
        told = f"{quoted(str(value))} is no guest system that is known here"
        like = suggest(str(word), self.names) or "docs/guest-systems.md lists them, and linux is any other Linux"
        raise ValueError(f"{told}; {like}")


SYSTEMS = _Systems(**{word: guest.title for word, guest in GUEST_SYSTEMS.items()})
