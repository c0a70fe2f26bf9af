"""What the doctor measures of a machine."""

import os
import socket
import statistics
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

__all__ = ["fsync_ms", "index_answer", "memory_bytes", "open_files_max", "port_is_free"]

_SYNCS = 30
_BLOCK = b"\0" * 4096
_INDEX_TIMEOUT_S = 10


def fsync_ms(folder: Path) -> tuple[float, float]:
    """Median and worst time of an append of 4 KiB with its fsync, in ms. Raises: OSError when nothing can be written there."""
    times = []
    with tempfile.TemporaryFile(dir=folder) as handle:
        for _ in range(_SYNCS):
            begun = time.perf_counter()
            handle.write(_BLOCK)
            handle.flush()
            os.fsync(handle.fileno())
            times.append((time.perf_counter() - begun) * 1000)
    return statistics.median(times), max(times)


def memory_bytes() -> int | None:
    """The machine's memory, or what its control group allows if that is less; None where it cannot be told."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return _windows_memory_bytes()
    try:
        allowed = int(Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return total
    return min(total, allowed)


def _windows_memory_bytes() -> int | None:
    if sys.platform != "win32":
        return None
    import ctypes  # noqa: PLC0415 - only there

    kilobytes = ctypes.c_ulonglong()
    if not ctypes.windll.kernel32.GetPhysicallyInstalledSystemMemory(ctypes.byref(kilobytes)):
        return None
    return kilobytes.value * 1024


def open_files_max() -> int | None:
    """How many files a process may have open; None where there is no such limit."""
    try:
        import resource  # noqa: PLC0415 - not on Windows
    except ImportError:
        return None
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else soft


def port_is_free(port: int) -> bool:
    """Whether a server could listen there on the loopback address."""
    with socket.socket() as listener:
        if os.name != "nt":  # as servers do; on Windows it would take a port from its owner
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def index_answer(url: str) -> str | None:
    """None when the package index answers, else why not. Proxies and SSL_CERT_FILE are honoured."""
    context = None
    authority = os.environ.get("PIP_CERT") or os.environ.get("REQUESTS_CA_BUNDLE")
    if authority and Path(authority).is_file():
        import ssl  # noqa: PLC0415 - slow to load, seldom needed

        context = ssl.create_default_context(cafile=authority)
    try:
        request = urllib.request.Request(f"{url.rstrip('/')}/pip/", method="HEAD")  # noqa: S310 - the user's own setting
        urllib.request.urlopen(request, timeout=_INDEX_TIMEOUT_S, context=context).close()  # noqa: S310
    except urllib.error.HTTPError as error:
        return f"HTTP status {error.code}" if error.code >= 500 else None
    except (OSError, ValueError) as error:
        return str(getattr(error, "reason", error))
    return None
