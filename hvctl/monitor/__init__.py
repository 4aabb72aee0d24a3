"""Checks again and again: schedules, the listener, what is new, and who is told."""
