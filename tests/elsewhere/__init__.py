"""Hosts that workers on other machines read."""
