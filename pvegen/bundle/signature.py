"""Signatures by stock OpenSSH (`ssh-keygen -Y`, 8.1 and later): made, and looked at.

The armour and the frame in it (PROTOCOL.sshsig in OpenSSH's source) are read here only
as far as is needed to tell whose key it was, and that no byte beside the frame is free.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import struct
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from pvegen.bundle.contents import refused

NAMESPACE = "pvegen-bundle"
PRINCIPAL = "pvegen"

_BEGIN, _END = b"-----BEGIN SSH SIGNATURE-----\n", b"-----END SSH SIGNATURE-----\n"
_FRAME = b"SSHSIG\x00\x00\x00\x01"
_PUBLIC = (b"ssh-", b"ecdsa-", b"sk-")
# Seconds: whoever is asked for a passphrase or to touch a key takes a while.
_PATIENCE = 300


def sign(data: bytes, key: Path) -> bytes:
    """The signature of bytes by a key; Refused with what to do where it cannot be made.

    key: a private key, or a public one whose private half the agent has. ssh-keygen
    itself asks for a passphrase, on the terminal.
    """
    try:
        start = key.read_bytes()[:64]
    except OSError as error:
        raise refused("key_unreadable", key=key, why=error.strerror or error) from error
    done = _ssh_keygen(["-Y", "sign", "-f", os.fspath(key), "-n", NAMESPACE], data)
    if done.returncode != 0:
        raise _why_not_signed(key, start, done.stderr.decode(errors="replace"))
    key_of(str(key), done.stdout)
    return done.stdout


def _why_not_signed(key: Path, start: bytes, said: str) -> Exception:
    lower = said.lower()
    if _is_too_old(lower):
        return refused("too_old")
    if "unprotected private key" in lower or "too open" in lower:
        return refused("key_open", key=key)
    if b"PRIVATE KEY" not in start:
        return refused("key_public" if start.startswith(_PUBLIC) else "key_none", key=key)
    if "passphrase" in lower:
        return refused("key_passphrase", key=key)
    return refused("not_signed", key=key, why=" ".join(said.split()) or "-")


def verify(where: str, data: bytes, signature: bytes, keys: Sequence[str]) -> str:
    """The fingerprint of the one of `keys` by which the bytes are signed; Refused where there is none.

    where: the signature's name, for messages; keys: public keys as "ssh-ed25519 AAAA...".
    """
    signer = key_of(where, signature)
    if signer not in keys:
        known = ", ".join(map(fingerprint, keys))
        raise refused("other_key", path=where, found=fingerprint(signer), known=known)
    with tempfile.TemporaryDirectory(prefix="pvegen-") as folder:
        signers, signed = Path(folder, "signers"), Path(folder, "signature")
        signers.write_text(f"{PRINCIPAL} {signer}\n", "ascii")
        signed.write_bytes(signature)
        words = ["-Y", "verify", "-f", str(signers), "-I", PRINCIPAL, "-n", NAMESPACE, "-s", str(signed)]
        done = _ssh_keygen(words, data)
    if done.returncode != 0:
        said = (done.stderr + done.stdout).decode(errors="replace")
        if _is_too_old(said.lower()):
            raise refused("too_old")
        raise refused("bad_signature", path=where, why=" ".join(said.split()) or "-")
    return fingerprint(signer)


def key_of(where: str, signature: bytes) -> str:
    """The public key that a signature says it is of: "ssh-ed25519 AAAA..."; Refused where it is no signature."""
    try:
        blob = _frame(signature)
        if not blob.startswith(_FRAME):
            raise ValueError
        key = _string(blob[len(_FRAME) :])
        return f"{_string(key).decode('ascii')} {base64.b64encode(key).decode()}"
    except (ValueError, struct.error) as error:
        raise refused("no_signature", path=where) from error


def _frame(signature: bytes) -> bytes:
    """What is in the armour; ValueError where a byte of the armour could be another."""
    if not signature.startswith(_BEGIN) or not signature.endswith(b"\n" + _END):
        raise ValueError
    body = signature[len(_BEGIN) : -len(_END)]
    lines = body.removesuffix(b"\n").split(b"\n")
    if len({len(line) for line in lines[:-1]}) > 1 or not lines[-1]:
        raise ValueError
    try:
        blob = base64.b64decode(b"".join(lines), validate=True)
    except binascii.Error as error:
        raise ValueError from error
    if base64.b64encode(blob) != b"".join(lines):
        raise ValueError
    return blob


def _string(data: bytes) -> bytes:
    """The first string of SSH's wire format (RFC 4251, section 5); ValueError where it is cut."""
    (length,) = struct.unpack(">I", data[:4])
    if len(data) < 4 + length:
        raise ValueError
    return data[4 : 4 + length]


def fingerprint(key: str) -> str:
    """A public key as people compare it: SHA256:..."""
    digest = hashlib.sha256(base64.b64decode(key.split(" ")[1])).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def public_keys(path: Path) -> list[str]:
    """The keys of a file of public keys, one a line, without their comments; Refused where one is none."""
    try:
        text = path.read_text("utf-8")
    except (OSError, ValueError) as error:
        raise refused("key_unreadable", key=path, why=getattr(error, "strerror", None) or "no text") from error
    if "PRIVATE KEY" in text:
        raise refused("key_private", key=path)
    keys = []
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        try:
            kind, blob = line.split()[:2]
            if _string(base64.b64decode(blob, validate=True)).decode("ascii") != kind:
                raise ValueError
        except (ValueError, struct.error) as error:
            raise refused("key_none", key=path) from error
        keys.append(f"{kind} {blob}")
    if not keys:
        raise refused("key_none", key=path)
    return keys


def _is_too_old(said: str) -> bool:
    return "unknown option" in said or "illegal option" in said or "invalid option" in said


def _ssh_keygen(words: list[str], data: bytes) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            ["ssh-keygen", *words], input=data, capture_output=True, check=False, timeout=_PATIENCE,
            env={**os.environ, "LC_ALL": "C"},
        )
    except FileNotFoundError as error:
        raise refused("no_ssh_keygen") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise refused("ssh_keygen_failed", why=error) from error
