"""What ansible-vault encrypted: values and whole files, formats 1.1 and 1.2; labels are read and ignored."""

from __future__ import annotations

import os
from binascii import unhexlify
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hvctl.call import Secret
from hvctl.config.secrets import VAULT_CLOSED, PromptSource, SecretError, resolve
from hvctl.text.diagnostic import ConfigError, Diagnostic, Mark
from hvctl.text.program import ProgramError, ran
from hvctl.text.source import Document, PartlyReadError, SecretSource, Vaulted, Verbatim, load_text, name_of, read_text

HEADER = "$ANSIBLE_VAULT"
_KEY, _BLOCK, _ROUNDS = 32, 16, 10_000
_SECONDS, _MOST = 60, 65_536
_LETTERS = 6
"""A number of fewer digits would be masked in every other number."""
_WORDS = frozenset(
    "ansible_connection ansible_shell_type ansible_winrm_transport ansible_winrm_scheme ansible_winrm_message_encryption "
    "ansible_winrm_server_cert_validation hvctl_os".split()
)
"""Variables that hold one of a few known words, which are no secrets; masked, they would be in every other sentence."""


class VaultError(ValueError):
    """It cannot be decrypted; says why."""


def is_vault(text: str) -> bool:
    return text.startswith(HEADER)


def decrypt(envelope: str, password: bytes) -> bytes:
    """AES-256 in counter mode, its keys by PBKDF2; nothing is decrypted whose HMAC is not right. Raises VaultError."""
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - for those who have something encrypted
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes  # noqa: PLC0415
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415
    from cryptography.hazmat.primitives.hmac import HMAC  # noqa: PLC0415
    from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC  # noqa: PLC0415
    from cryptography.hazmat.primitives.padding import PKCS7  # noqa: PLC0415

    heading, _, body = envelope.strip().partition("\n")
    words = heading.strip().split(";")
    if len(words) < 3 or words[0] != HEADER or words[1] not in ("1.1", "1.2") or words[2] != "AES256":
        raise VaultError(f"its heading is {heading[:60]}, not {HEADER};1.1;AES256 or {HEADER};1.2;AES256;LABEL")
    try:
        salt, signature, data = (unhexlify(part) for part in unhexlify("".join(body.split())).split(b"\n", 2))
    except ValueError as error:
        raise VaultError("it is damaged: it is not the hexadecimal text that ansible-vault writes") from error
    derived = PBKDF2HMAC(SHA256(), 2 * _KEY + _BLOCK, salt, _ROUNDS).derive(password)
    key, signing, counter = derived[:_KEY], derived[_KEY : 2 * _KEY], derived[2 * _KEY :]
    signed = HMAC(signing, SHA256())
    signed.update(data)
    try:
        signed.verify(signature)
    except InvalidSignature as error:
        raise VaultError("the vault password is not right for it, or it was changed") from error
    opened = Cipher(algorithms.AES(key), modes.CTR(counter)).decryptor()
    padding = PKCS7(_BLOCK * 8).unpadder()
    try:
        return padding.update(opened.update(data) + opened.finalize()) + padding.finalize()
    except ValueError as error:
        raise VaultError("it is damaged") from error


@dataclass(frozen=True)
class PasswordFile:
    """Its text is a vault password; a program's is what it prints, which is run only if programs may."""

    path: str
    programs: bool = False

    def password(self) -> str:
        """Raises SecretError."""
        try:
            data = Path(self.path).expanduser().read_bytes()
        except OSError as error:
            raise SecretError(f"the vault password file {self.path} cannot be read: {error.strerror}") from error
        if is_program(self.path, data):
            data = self._printed()
        try:
            found = data.decode("utf-8").strip()
        except UnicodeDecodeError as error:
            raise SecretError(f"the vault password file {self.path} is not UTF-8 text") from error
        if not found:
            raise SecretError(f"the vault password file {self.path} holds no password")
        return found

    def _printed(self) -> bytes:
        if not self.programs:
            hint = "it is run only with --inventory-scripts; or take its execute permission away"
            raise SecretError(f"the vault password file {self.path} is a program; {hint}")
        try:
            done = ran([str(Path(self.path).expanduser().absolute())], seconds=_SECONDS, most=_MOST)
        except ProgramError as error:
            raise SecretError(f"the vault password program {self.path}: {error}") from error
        if done.status:
            raise SecretError(f"the vault password program {self.path} ended with status {done.status}")
        return done.out


def is_program(path: str | Path, data: bytes) -> bool:
    """An execute permission alone does not make a program: on some file systems every file has it."""
    return data.startswith((b"#!", b"\x7fELF", b"MZ")) and os.access(Path(path).expanduser(), os.X_OK)


@dataclass
class Vault:
    """Decrypts with the first password that is right. Passwords are asked for once, when something is encrypted;
    `learn` hears of them and of all that is decrypted."""

    sources: tuple[PasswordFile | PromptSource | Secret, ...] = ()
    learn: Callable[[Secret], None] = lambda secret: None
    _passwords: list[bytes] | None = field(default=None, repr=False)
    _opened: dict[str, str] = field(default_factory=dict, repr=False)

    def load(self, file: str | Path) -> tuple[Document, bool]:
        """A file of variables, and whether all of it was encrypted. Raises ConfigError."""
        return self.read(read_text(file), name_of(file))

    def read(self, text: str, file: str) -> tuple[Document, bool]:
        """Raises ConfigError."""
        if not is_vault(text):
            try:
                return self.opened(load_text(text, file)), False
            except PartlyReadError as error:
                raise PartlyReadError(error.problems, self.opened(error.document)) from error
        plain = self.text(text, Mark(file, 1, 1))
        try:
            document = load_text(plain, file)
        except ConfigError as error:
            problem = error.problems[0]  # what it quotes would be a secret
            hint = "look at it with `ansible-vault view`"
            raise ConfigError(
                [replace(problem, message="what is encrypted here is not valid YAML", hint=hint)]
            ) from None
        return replace(document, data=self.secret(self.value(document.data))), True

    def text(self, envelope: str, mark: Mark) -> str:
        """Raises ConfigError."""
        try:
            return self._decrypted(envelope)
        except (VaultError, SecretError) as error:
            message, _, hint = str(error).partition("; ")
            raise ConfigError([Diagnostic(mark, message, hint)]) from error

    def opened(self, document: Document) -> Document:
        """With its `!vault` values decrypted; those that cannot be stay closed, which matters where they are used."""
        return replace(document, data=self.value(document.data))

    def value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            return {k: self.value(v) for k, v in data.items()}
        if isinstance(data, list):
            return [self.value(v) for v in data]
        if not isinstance(data, SecretSource) or data.kind != "vault" or not self.sources:
            return data
        try:
            return self.secret(Verbatim(self._decrypted(data.words[0])))
        except VaultError:
            return data
        except SecretError as error:
            raise ConfigError([Diagnostic(data.mark, str(error), "")]) from error

    def password(self) -> bytes:
        """The first; "" if there is none. Raises ConfigError."""
        try:
            return next(iter(self._known()), b"")
        except SecretError as error:
            raise ConfigError([Diagnostic(None, str(error), "")]) from error

    def _decrypted(self, envelope: str) -> str:
        if envelope not in self._opened:
            self._opened[envelope] = self._tried(envelope)
        return self._opened[envelope]

    def _tried(self, envelope: str) -> str:
        if not self.sources:
            raise SecretError(VAULT_CLOSED)
        wrong = VaultError("there is no vault password")
        for password in self._known():
            try:
                return decrypt(envelope, password).decode("utf-8")
            except UnicodeDecodeError as error:
                raise VaultError("what is encrypted here is not UTF-8 text") from error
            except VaultError as error:
                wrong = error
        raise wrong

    def _known(self) -> list[bytes]:
        if self._passwords is None:
            found = [s.password() if isinstance(s, PasswordFile) else resolve(s).reveal().strip() for s in self.sources]
            for password in found:
                self.learn(Secret(password))
            self._passwords = [password.encode("utf-8") for password in found]
        return self._passwords

    def secret(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            return {k: v if k in _WORDS else self.secret(v) for k, v in data.items()}
        if isinstance(data, list):
            return [self.secret(v) for v in data]
        if isinstance(data, str):
            self.learn(Secret(str(data)))
            return Vaulted(data) if type(data) is str else data
        if isinstance(data, int | float) and len(str(data)) >= _LETTERS:
            self.learn(Secret(str(data)))
        return data
