"""Messages between nodes: JSON sealed with the cluster's authkey, so that strangers are not heard."""

import hashlib
import hmac
import json
import socket
from pathlib import Path
from typing import Any

AUTHKEY = Path("/etc/corosync/authkey")


def _key() -> bytes:
    try:
        return AUTHKEY.read_bytes()
    except OSError:
        return b""


def seal(message: dict[str, Any]) -> bytes:
    text = json.dumps(message).encode()
    return hmac.new(_key(), text, hashlib.sha256).digest() + text


def unseal(data: bytes) -> dict[str, Any] | None:
    """The message, or None where it was sealed with another key or is none."""
    seal_found, text = data[:32], data[32:]
    if not hmac.compare_digest(seal_found, hmac.new(_key(), text, hashlib.sha256).digest()):
        return None
    message: dict[str, Any] = json.loads(text)
    return message


def resolve(name: str) -> str | None:
    """The first address that NAME has; None where there is none."""
    try:
        return str(socket.getaddrinfo(name, None, type=socket.SOCK_DGRAM)[0][4][0])
    except OSError:
        return None


def is_local(address: str) -> bool:
    """Whether ADDRESS is on one of this node's interfaces."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True
