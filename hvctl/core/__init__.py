"""Desired and actual state, their difference, the target, the plan and what became of it: pure data."""
