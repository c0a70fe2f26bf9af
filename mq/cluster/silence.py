"""Makes a node speak to nobody that it is told not to; run inside the network of its container.

`python -m mq.cluster.silence ADDRESS ...`: from now on nothing reaches these addresses, and what reached earlier ones does so
again. A packet for a silenced address is sent to a hardware address that nobody has: it is lost, and nobody is told. That needs
the capability NET_ADMIN and Linux, but no program in the image, and works between containers of one bridge network.
"""

import ipaddress
import socket
import struct
import sys

__all__ = ["neighbour_request", "silence"]

_NEW, _DELETE, _DUMP = 28, 29, 30
_REQUEST, _ACK, _ROOT_AND_MATCH, _CREATE_OR_REPLACE = 1, 4, 0x300, 0x500
_PERMANENT = 0x80
_DESTINATION, _HARDWARE_ADDRESS = 1, 2
_NOBODY = bytes.fromhex("02deadbeef00")
_HEADER, _NEIGHBOUR = struct.Struct("=IHHII"), struct.Struct("=BBHiHBB")
_DONE, _ERROR = 3, 2


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def neighbour_request(kind: int, flags: int, interface: int, address: str) -> bytes:
    """A message to the kernel about one neighbour. Linux: rtnetlink(7)."""
    body = _NEIGHBOUR.pack(socket.AF_INET, 0, 0, interface, _PERMANENT, 0, 0)
    body += _attribute(_DESTINATION, ipaddress.ip_address(address).packed) + _attribute(_HARDWARE_ADDRESS, _NOBODY)
    return _HEADER.pack(_HEADER.size + len(body), kind, _REQUEST | flags, 1, 0) + body


def _answers(kernel: socket.socket, request: bytes) -> list[bytes]:
    """The bodies of all that the kernel answers. Raises: OSError when it refuses."""
    kernel.send(request)
    found: list[bytes] = []
    while True:
        data = kernel.recv(1 << 16)
        while data:
            length, kind, *_ = _HEADER.unpack_from(data)
            body, data = data[_HEADER.size : length], data[(length + 3) & ~3 :]
            if kind == _ERROR and (code := struct.unpack_from("=i", body)[0]):
                raise OSError(-code, "the kernel refuses")
            if kind in {_DONE, _ERROR}:
                return found
            found.append(body)


def _silenced(kernel: socket.socket) -> set[tuple[int, str]]:
    """(interface, address) of all that is silenced now."""
    body = _NEIGHBOUR.pack(socket.AF_INET, 0, 0, 0, 0, 0, 0)
    request = _HEADER.pack(_HEADER.size + len(body), _DUMP, _REQUEST | _ROOT_AND_MATCH, 1, 0) + body
    found = set()
    for answer in _answers(kernel, request):
        _, _, _, interface, *_ = _NEIGHBOUR.unpack_from(answer)
        rest, values = answer[_NEIGHBOUR.size :], {}
        while len(rest) >= 4:
            length, kind = struct.unpack_from("=HH", rest)
            values[kind], rest = rest[4:length], rest[(length + 3) & ~3 :]
        if values.get(_HARDWARE_ADDRESS) == _NOBODY:
            found.add((interface, str(ipaddress.ip_address(values[_DESTINATION]))))
    return found


def _interface_to(address: str) -> int:
    """The interface that leads to an address: the one whose own address is nearest to it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((address, 9))
        own = probe.getsockname()[0]
    import fcntl  # noqa: PLC0415 - does not exist on Windows

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        for number, name in socket.if_nameindex():
            try:
                found = fcntl.ioctl(asking, 0x8915, struct.pack("256s", name.encode()[:15]))  # SIOCGIFADDR
            except OSError:
                continue  # it has no address
            if socket.inet_ntoa(found[20:24]) == own:
                return number
    raise OSError(f"no interface leads to {address}")


def silence(addresses: list[str]) -> None:
    """Nothing reaches these, and everything else is reached. Raises: OSError."""
    family = getattr(socket, "AF_NETLINK", None)
    if family is None:
        raise OSError("only Linux can do this")
    with socket.socket(family, socket.SOCK_RAW, 0) as kernel:
        kernel.bind((0, 0))
        before = _silenced(kernel)
        wanted = {(_interface_to(address), address) for address in addresses}
        for interface, address in before - wanted:
            _answers(kernel, neighbour_request(_DELETE, _ACK, interface, address))
        for interface, address in wanted - before:
            _answers(kernel, neighbour_request(_NEW, _ACK | _CREATE_OR_REPLACE, interface, address))


if __name__ == "__main__":
    silence(sys.argv[1:])
