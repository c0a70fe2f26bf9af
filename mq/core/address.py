"""HOST:PORT, as people write addresses and as clients are told them."""

import ipaddress
from collections.abc import Sequence

from mq.core.errors import IllegalArgumentError

__all__ = ["Address", "check_advertised", "is_ip", "parse_address", "show_address"]

Address = tuple[str, int]
"""Host name or IP address without brackets, and port."""

_HOST_CHARS_MAX = 253
_PORT_MAX = 65535


def parse_address(text: str, field: str, *, is_zero_port_allowed: bool = False) -> Address:
    """The parts of `HOST:PORT` or `[IPv6]:PORT`. Raises: IllegalArgumentError naming `field`."""
    host, colon, port_text = text.strip().rpartition(":")
    is_bracketed = host.startswith("[") and host.endswith("]")
    bare = host[1:-1] if is_bracketed else host
    if not colon or not bare or not port_text.isascii() or not port_text.isdecimal() or (":" in bare and not is_bracketed):
        raise IllegalArgumentError(f"{field}: {text!r} is not HOST:PORT, such as 127.0.0.1:8081 or [::1]:8081")
    if is_bracketed and not is_ip(bare, 6):
        raise IllegalArgumentError(f"{field}: {text!r}: {bare!r} is not an IPv6 address")
    if len(bare) > _HOST_CHARS_MAX or any(c.isspace() or c in "/,;@[]" for c in bare):
        raise IllegalArgumentError(f"{field}: {text[:80]!r}: {bare[:60]!r} is not a host name")
    port, least = int(port_text), 0 if is_zero_port_allowed else 1
    if not least <= port <= _PORT_MAX:
        raise IllegalArgumentError(f"{field}: {text!r}: port {port} is outside of {least} to {_PORT_MAX}")
    return bare, port


def is_ip(host: str, version: int) -> bool:
    """Whether a host is an IP address of this version, 4 or 6, and not a name."""
    try:
        return ipaddress.ip_address(host).version == version
    except ValueError:
        return False


def check_advertised(addresses: Sequence[Address], field: str = "advertise") -> None:
    """Whether these can stand in one route: one host name, or IP addresses of one version. field: named in the error.

    Raises: IllegalArgumentError. RocketMQ: Endpoints in definition.proto (v2).
    """
    versions = {4 if is_ip(host, 4) else 6 if is_ip(host, 6) else 0 for host, _ in addresses}
    if len(versions) > 1 or (versions == {0} and len(addresses) > 1):
        shown = ", ".join(map(show_address, addresses))
        raise IllegalArgumentError(f"{field}: {shown} must be one host name, or IP addresses of one version")


def show_address(address: Address) -> str:
    """The address as people write it."""
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
