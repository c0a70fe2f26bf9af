"""Bodies made smaller before they are sent. Brokers store what they are given; whoever receives it unpacks it.

RocketMQ: enum Encoding, GZIP, which all official clients unpack.
"""

import zlib

__all__ = ["compressed"]

_GZIP = 31
"""Of zlib: with gzip's header, which has no time in it."""


def compressed(body: bytes, over_bytes: int | None) -> tuple[bytes, bool]:
    """(the body as it is sent, whether it is compressed). over_bytes: smaller ones are left alone; None: all are.

    One that does not get smaller is left alone, too.
    """
    if over_bytes is None or len(body) < over_bytes:
        return body, False
    packer = zlib.compressobj(wbits=_GZIP)
    packed = packer.compress(body) + packer.flush()
    return (packed, True) if len(packed) < len(body) else (body, False)
