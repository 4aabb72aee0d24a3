"""A text sealed as ansible-vault seals it, for tests that have no Ansible."""

from __future__ import annotations

import os
from binascii import hexlify

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from cryptography.hazmat.primitives.padding import PKCS7


def sealed(text: str, password: str) -> str:
    salt = os.urandom(32)
    derived = PBKDF2HMAC(SHA256(), 80, salt, 10_000).derive(password.encode())
    padder = PKCS7(128).padder()
    padded = padder.update(text.encode()) + padder.finalize()
    opened = Cipher(algorithms.AES(derived[:32]), modes.CTR(derived[64:])).encryptor()
    data = opened.update(padded) + opened.finalize()
    signed = HMAC(derived[32:64], SHA256())
    signed.update(data)
    body = hexlify(b"\n".join(hexlify(part) for part in (salt, signed.finalize(), data))).decode()
    return "\n".join(["$ANSIBLE_VAULT;1.1;AES256", *(body[n : n + 80] for n in range(0, len(body), 80)), ""])
