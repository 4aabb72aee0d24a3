"""The files that a new project begins with; they pass `hvctl validate` as they are."""

from __future__ import annotations

from collections.abc import Sequence

from hvctl.importing.emit import scalar

EXAMPLE = ("hv01.example.com",)
_GROUP = "hyper_v"

_INVENTORY = """\
# yaml-language-server: $schema=schemas/inventory.json
# The hosts that hvctl manages: an Ansible inventory. A host whose name here is not its name in DNS has `ansible_host: …`.
all:
  children:
    {group}:
      hosts:
{hosts}
"""

_GROUP_VARS = """\
# yaml-language-server: $schema=../schemas/variables.json
# How hvctl reaches the hosts of the group {group}. A secret is named here, never written.
ansible_connection: winrm
ansible_user: {user}
ansible_password: !env HVCTL_PASSWORD
# From the keyring of this computer instead (`keyring set hyper-v {user}`):
# ansible_password: !keyring hyper-v/{user}
ansible_winrm_transport: ntlm
"""

_PLAYBOOK = """\
# yaml-language-server: $schema=schemas/playbook.json
# What the hosts are to have. What is not written is not touched; every key is in the playbook reference (docs/playbook.md).
# What they have already: hvctl import {first} --out {file}
- name: Hyper-V hosts
  hosts: {group}
  switches: []
    # - {{name: lan, type: external, net_adapters: [Ethernet 2]}}
  vms: []
    # - name: web01
    #   generation: 2
    #   state: running
    #   processor: {{count: 2}}
    #   memory: {{startup: 2GB}}
    #   disks:
    #     - {{at: scsi 0:0, path: 'D:\\VMs\\web01\\os.vhdx', size: 60GB}}
    #   network_adapters:
    #     - {{name: lan, switch: lan}}
"""

_GITIGNORE = """\
# Saved plans and reports may tell more of hosts than a repository should.
*.plan
/reports/
/build/
# Secrets stay outside.
.env
*.vault-pass
.vault-password*
*.retry
"""


def start_files(hosts: Sequence[str], user: str) -> dict[str, str]:
    """Texts by the names of the files, relative to the folder."""
    names = tuple(hosts) or EXAMPLE
    lines = "\n".join(f"        {scalar(name)}:" for name in names)
    first = scalar(names[0])
    return {
        "inventory.yml": _INVENTORY.format(group=_GROUP, hosts=lines),
        f"group_vars/{_GROUP}.yml": _GROUP_VARS.format(group=_GROUP, user=scalar(user)),
        "site.yml": _PLAYBOOK.format(group=_GROUP, first=first, file=scalar(f"{names[0].split('.')[0]}.yml")),
        ".gitignore": _GITIGNORE,
    }
