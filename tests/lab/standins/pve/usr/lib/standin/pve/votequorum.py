"""Corosync's votequorum service through its library: one question is a few microseconds, where a program is 10 ms."""

import ctypes
import time
from dataclasses import dataclass

OK, TRY_AGAIN, NOT_EXIST = 1, 6, 12
_TRIES = 10
_MEMBER = 1
_QUORATE = 2


class _Info(ctypes.Structure):
    """struct votequorum_info of corosync/votequorum.h."""

    _fields_ = (
        ("node_id", ctypes.c_uint),
        ("node_state", ctypes.c_uint),
        ("node_votes", ctypes.c_uint),
        ("node_expected_votes", ctypes.c_uint),
        ("highest_expected", ctypes.c_uint),
        ("total_votes", ctypes.c_uint),
        ("quorum", ctypes.c_uint),
        ("flags", ctypes.c_uint),
        ("qdevice_votes", ctypes.c_uint),
        ("qdevice_name", ctypes.c_char * 255),
    )


@dataclass(frozen=True)
class Votes:
    """What the service says of the cluster, as seen from this node."""

    nodeid: int
    votes: int
    expected: int
    quorum: int
    quorate: bool


class Unavailable(Exception):
    """No corosync runs, or it has no votequorum, or does not answer now."""


class Votequorum:
    """A connection, made when it is first needed and again after corosync has gone."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL("libvotequorum.so.8")
        self._handle: ctypes.c_uint64 | None = None

    def votes(self) -> Votes:
        info = self._ask(0)
        if info is None:
            raise Unavailable("no votes")
        expected = int(info.highest_expected)
        return Votes(info.node_id, info.total_votes, expected, info.quorum, bool(info.flags & _QUORATE))

    def is_member(self, nodeid: int) -> bool:
        info = self._ask(nodeid)
        return info is not None and info.node_state == _MEMBER

    def _ask(self, nodeid: int) -> _Info | None:
        """What there is on a node (0: on this one and the cluster); None where the service does not know it."""
        info = _Info()
        for _ in range(_TRIES):
            status = self._library.votequorum_getinfo(self._connection(), ctypes.c_uint(nodeid), ctypes.byref(info))
            if status != TRY_AGAIN:
                break
            time.sleep(0.01)
        if status == OK:
            return info
        if status == NOT_EXIST:
            return None
        if status != TRY_AGAIN:
            self._library.votequorum_finalize(self._connection())
            self._handle = None
        raise Unavailable(f"error {status}")

    def _connection(self) -> ctypes.c_uint64:
        if self._handle is None:
            handle = ctypes.c_uint64()
            status = self._library.votequorum_initialize(ctypes.byref(handle), None)
            if status != OK:
                raise Unavailable(f"error {status}")
            self._handle = handle
        return self._handle
