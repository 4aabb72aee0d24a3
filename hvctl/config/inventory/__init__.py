"""Hosts, groups and variables, read from Ansible's inventories as Ansible reads them."""

from hvctl.config.inventory.model import Connection, Host, Inventory, PartlyLoadedError, Source, Unread

__all__ = ["Connection", "Host", "Inventory", "PartlyLoadedError", "Source", "Unread"]
