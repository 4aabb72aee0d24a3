"""How an account is written, and what follows from that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True)
class Account:
    """`domain`: what stands before the backslash or after the @; "" for neither."""

    name: str
    domain: str = ""
    is_upn: bool = False

    @classmethod
    def of(cls, text: str) -> Self:
        if "\\" in text:
            domain, _, name = text.partition("\\")
            return cls(name, domain)
        name, _, domain = text.rpartition("@") if "@" in text else (text, "", "")
        return cls(name, domain, bool(domain))

    def is_local(self, *computers: str) -> bool:
        """Of the host itself, as far as its writing tells. `computers`: names of the host."""
        known = {".", *(c.split(".")[0].casefold() for c in computers)}
        return not self.is_upn and (not self.domain or self.domain.casefold() in known)

    @property
    def is_builtin_administrator(self) -> bool:
        """By its usual names; RID 500 cannot be seen from here."""
        return self.name.casefold() in ("administrator", "administrateur", "administrador")
