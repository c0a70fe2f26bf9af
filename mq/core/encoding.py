"""The two pieces of protobuf's encoding that are written by hand, where the library would cost more than the work itself.

Serialized messages may be laid end to end: a reader takes the last value of a plain field, merges messages, and adds up
lists. So a message can be put together from parts that were never decoded. Source: protobuf.dev, Encoding.
"""

__all__ = ["encode_field", "encode_varint"]


def encode_varint(value: int) -> bytes:
    """A whole number from 0 in 7 bits a byte, the lowest first."""
    if value < 0x80:
        return bytes((value,))
    parts = bytearray()
    while value >= 0x80:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def encode_field(key: bytes, value: bytes) -> bytes:
    """A field with a length: text, bytes, or a message. key: field number and wire type 2, encoded."""
    return key + encode_varint(len(value)) + value
