"""What nodes know one another by: ssh keys, whole and each node's own; the way of joining, and its fingerprints."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator

from pvegen.checks.context import Context
from pvegen.derive import NodeView
from pvegen.mistakes import Where
from pvegen.source import Path


def check(context: Context) -> None:
    """Whether the stated keys can do what ssh.trust asks of them."""
    if not context.view.is_cluster:
        return
    _join(context)
    if not context.sound(("ssh", "trust")):
        return
    first: dict[str, Path] = {}
    for node in context.view.nodes:
        for path, key in _keys(context, node):
            _key(context, path, key, first)
    if context.description.ssh.trust == "keys":
        _needed(context)
    elif first:
        context.say("PVE914", next(iter(first.values())))


def _join(context: Context) -> None:
    """The way of joining, which the target must have, and fingerprints without use."""
    path: Path = ("cluster", "join")
    if not context.sound(path):
        return
    if context.description.cluster.join == "api":
        if context.target is not None and not context.target.pvecm["api"]:
            context.say("PVE510", path, target=context.target.name)
        return
    for node in context.view.nodes:
        here: Path = (*node.path, "fingerprint")
        if node.node.fingerprint is not None and context.sound(here):
            context.say("PVE925", here, "key")
            return


def _keys(context: Context, node: NodeView) -> Iterator[tuple[Path, str]]:
    """A node's keys that could be read, with their places."""
    path: Path = (*node.path, "ssh_user_key")
    if node.node.ssh_user_key is not None and context.sound(path):
        yield path, node.node.ssh_user_key
    if context.sound((*node.path, "ssh_host_keys")):
        for number, key in enumerate(node.node.ssh_host_keys):
            yield (*node.path, "ssh_host_keys", number), key


def _key(context: Context, path: Path, key: str, first: dict[str, Path]) -> None:
    kind, body = key.split(" ")[:2]
    if not whole(kind, body):
        context.say("PVE242", path, kind=kind)
    elif body in first:
        user = sum("ssh_user_key" in place for place in (path, first[body]))
        same_node = path[:2] == first[body][:2]
        context.say("PVE429" if same_node or user == 1 else "PVE417", path, first=Where(first[body]))
    else:
        first[body] = path


def whole(kind: str, body: str) -> bool:
    """Whether a public key is complete: fields of stated length, the first naming its kind (RFC 4253, 6.6)."""
    try:
        blob = base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        return False
    fields = []
    while len(blob) >= 4:
        length = int.from_bytes(blob[:4], "big")
        if len(blob) < 4 + length:
            return False
        fields.append(blob[4 : 4 + length])
        blob = blob[4 + length :]
    return not blob and len(fields) > 1 and fields[0] == kind.encode()


def _needed(context: Context) -> None:
    """Nodes whose keys are still to be pasted, and those without the RSA host key that pvecm looks for."""
    nodes = [n for n in context.view.nodes if context.sound((*n.path, "ssh_user_key"), (*n.path, "ssh_host_keys"))]
    without = [n.name for n in nodes if n.node.ssh_user_key is None or not n.node.ssh_host_keys]
    if without:
        context.say("PVE912", ("ssh", "trust"), nodes=without[:10], example=without[0])
    for node in nodes:
        keys = node.node.ssh_host_keys
        if keys and not any(key.startswith("ssh-rsa ") for key in keys):
            context.say("PVE913", (*node.path, "ssh_host_keys"), node=node.name)
