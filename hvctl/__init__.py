"""Plan, apply and watch the wanted state of Hyper-V hosts."""

__version__ = "0.1.0"
