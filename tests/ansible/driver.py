"""What ansible-core makes of inventories: run in an environment that has it, cases in as JSON, answers out as JSON."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator
from typing import Any

os.environ.pop("ANSIBLE_CONFIG", None)
os.environ |= {
    "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "1",  # what it would warn of and skip is an error
    "ANSIBLE_HOST_PATTERN_MISMATCH": "error",
    "ANSIBLE_LOCALHOST_WARNING": "0",
    "ANSIBLE_NOCOLOR": "1",
}


TEMPLATED = 6
"""Hosts whose variables are put through a template: each takes its time."""


class Ordered:
    """A set that is walked in the order in which it was filled. Ansible walks sets of groups, whose order is that of
    their addresses in memory; so it says something else from run to run."""

    def __init__(self, items: Iterable[Any] = ()) -> None:
        self._items = dict.fromkeys(items)

    def add(self, item: Any) -> None:
        self._items[item] = None

    def update(self, items: Iterable[Any]) -> None:
        self._items |= dict.fromkeys(items)

    def difference_update(self, items: Iterable[Any]) -> None:
        for item in items:
            self._items.pop(item, None)

    def copy(self) -> Ordered:
        return Ordered(self._items)

    def __contains__(self, item: Any) -> bool:
        return item in self._items

    def __iter__(self) -> Iterator[Any]:
        return iter(list(self._items))

    def __len__(self) -> int:
        return len(self._items)


def main() -> None:
    from ansible import context  # noqa: PLC0415 - after the environment is set
    from ansible.inventory import group  # noqa: PLC0415
    from ansible.plugins.loader import init_plugin_loader  # noqa: PLC0415
    from ansible.utils.context_objects import CLIArgs  # noqa: PLC0415

    group.set = Ordered
    # The command line is kept once per process otherwise.
    context._init_global_context = lambda options: setattr(context, "CLIARGS", CLIArgs.from_options(options))
    init_plugin_loader()
    out, sys.stdout = sys.stdout, sys.stderr
    json.dump([_answer(case) for case in json.load(sys.stdin)], out)


def _answer(case: dict[str, Any]) -> Any:
    try:
        return _encrypted(**case["encrypt"]) if "encrypt" in case else _told(case)
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}
    except SystemExit as error:
        return {"error": f"ended with {error.code}"}


def _encrypted(text: str, password: str, label: str | None) -> str:
    """As ansible-vault writes it."""
    from ansible.parsing.vault import VaultLib, VaultSecret  # noqa: PLC0415

    secret = VaultSecret(password.encode())
    return str(VaultLib([(label or "default", secret)]).encrypt(text.encode(), secret, vault_id=label).decode())


def _told(case: dict[str, Any]) -> dict[str, Any]:
    from ansible.cli.inventory import InventoryCLI  # noqa: PLC0415
    from ansible.parsing.vault import VaultSecretsContext  # noqa: PLC0415

    os.chdir(case["folder"])
    VaultSecretsContext._current = None
    words = ["ansible-inventory", "--list", *(w for s in case["sources"] for w in ("-i", s))]
    words += ["--playbook-dir", case["playbooks"]]
    words += ["--vault-password-file", case["vault"]] if case.get("vault") else []
    cli = InventoryCLI(words)
    cli.parse()
    cli.loader, cli.inventory, cli.vm = cli._play_prereqs()
    top = cli._get_group("all")
    hosts = list(cli.inventory.get_hosts("all"))
    return {
        "list": json.loads(cli.dump(cli.json_inventory(top))),
        "graph": "\n".join(cli._graph_group(top)),
        "patterns": [_hosts(cli.inventory, *p) for p in case["patterns"]],
        "variables": {h.name: _variables(cli, h) for h in hosts[:TEMPLATED]},
        "connections": {h.name: _connection(cli, h) for h in hosts},
    }


def _hosts(inventory: Any, pattern: str | list[str], limit: str | None) -> list[str] | str:
    try:
        inventory.subset(limit)
        return [h.name for h in inventory.get_hosts(pattern)]
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    finally:
        inventory.subset(None)


def _variables(cli: Any, host: Any) -> dict[str, Any]:
    """Each as `{{ name }}` gives it to a template."""
    found = cli.vm.get_vars(host=host, include_hostvars=False, stage="all")
    own = cli._remove_internal(dict(found))
    names = [*own, "inventory_hostname", "inventory_hostname_short", "group_names", "groups", "inventory_file",
             "inventory_dir"]  # fmt: skip
    return {name: _templated(cli, found, name) for name in names}


def _templated(cli: Any, variables: dict[str, Any], name: str) -> Any:
    from ansible.template import Templar, trust_as_template  # noqa: PLC0415

    try:
        value = Templar(loader=cli.loader, variables=variables).template(trust_as_template("{{ " + name + " }}"))
        return json.loads(json.dumps(_plain(value)))
    except Exception as error:
        return {"error": type(error).__name__}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, bool | int | float) or value is None:
        return value
    return str(value)


def _connection(cli: Any, host: Any) -> dict[str, Any]:
    """As the connection plugin winrm reads its options."""
    from ansible.playbook.play_context import PlayContext  # noqa: PLC0415
    from ansible.plugins.loader import connection_loader  # noqa: PLC0415
    from ansible.template import Templar  # noqa: PLC0415

    found = cli.vm.get_vars(host=host, include_hostvars=False, stage="all")
    own = {k: v for k, v in found.items() if k.startswith("ansible_winrm") or k in _NAMES}
    try:
        rendered = Templar(loader=cli.loader, variables=found).template(own)
        plugin = connection_loader.get("winrm", PlayContext(), os.devnull)
        plugin.set_options(var_options={"inventory_hostname": host.name, **rendered})
        port, scheme = plugin.get_option("port"), plugin.get_option("scheme")
    except Exception as error:
        return {"error": type(error).__name__}
    return {
        "host": plugin.get_option("remote_addr"),
        "user": plugin.get_option("remote_user"),
        "port": port,
        "scheme": scheme or ("http" if port == 5985 else "https"),
        "path": plugin.get_option("path"),
    }


_NAMES = ("ansible_host", "ansible_port", "ansible_user", "ansible_password")


if __name__ == "__main__":
    main()
