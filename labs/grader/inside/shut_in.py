"""Where Linux has Landlock, a worker gives up what a student's code has no need of: before any of that code runs, and for good.

It reads its own folder and Python's library and no other file, so no solution, key or result of the same user's; it opens no TCP
connection (Linux 6.7), ends no process but its own (6.12), and looks into none. What it starts is held to the same. It needs
no rights of an administrator, and holds for one as well. Source: the kernel's documentation, userspace-api/landlock.
"""

import ctypes
import os
import sys
from collections.abc import Iterator

__all__ = ["shut_in"]

_CREATE, _ADD, _RESTRICT = 444, 445, 446
"""The numbers of the three system calls, on all machines that are called by numbers of today's table."""
_VERSION, _PATH_BENEATH = 1, 1
_READ_FILE, _READ_FOLDER = 1 << 2, 1 << 3
_BIND, _CONNECT = 1, 2
_ABSTRACT_SOCKETS, _SIGNALS = 1, 2
_NO_NEW_PRIVILEGES = 38
_HAS_NETWORK, _HAS_SCOPES = 4, 6
"""From these versions on."""
_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache", "/etc/localtime", "/dev")


class _Ruleset(ctypes.Structure):
    """What is handled is forbidden, but for what a rule allows."""

    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scopes", ctypes.c_uint64))


class _Beneath(ctypes.Structure):
    """A rule: this is allowed with a file, or in a folder and all below it."""

    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("descriptor", ctypes.c_int32))


def shut_in() -> bool:
    """Shut this process in. False when the system cannot do it; it is as it was then, or holds to less."""
    if not sys.platform.startswith("linux"):
        return False
    system = ctypes.CDLL(None)
    call = system.syscall
    call.restype = ctypes.c_long
    version = int(call(_CREATE, None, 0, _VERSION))
    if version < 1:
        return False
    wanted = _Ruleset(
        _READ_FILE | _READ_FOLDER,
        _BIND | _CONNECT if version >= _HAS_NETWORK else 0,
        _ABSTRACT_SOCKETS | _SIGNALS if version >= _HAS_SCOPES else 0,
    )
    size_bytes = 8 * (1 + (version >= _HAS_NETWORK) + (version >= _HAS_SCOPES))
    ruleset = int(call(_CREATE, ctypes.byref(wanted), size_bytes, 0))
    if ruleset < 0:
        return False
    try:
        for path in _readable():
            _allow(call, ruleset, path)
        is_bound = system.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) == 0
        return is_bound and int(call(_RESTRICT, ruleset, 0)) == 0
    finally:
        os.close(ruleset)


def _readable() -> Iterator[str]:
    """Its own folder and Python with its library: where modules come from. And what the system's own library reads."""
    yield from (*sys.path, sys.executable)
    for prefix in {sys.base_prefix, sys.base_exec_prefix}:
        yield f"{prefix}/{sys.platlibdir}"
        yield f"{prefix}/lib"
    yield from _LIBRARIES


def _allow(call: "ctypes._NamedFuncPointer", ruleset: int, path: str) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:  # not everywhere
        return
    try:
        rights = _READ_FILE | (_READ_FOLDER if os.path.isdir(path) else 0)  # noqa: PTH112 - one module less to be imported
        call(_ADD, ruleset, _PATH_BENEATH, ctypes.byref(_Beneath(rights, descriptor)), 0)
    finally:
        os.close(descriptor)
