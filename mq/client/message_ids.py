"""Message ids: made by the client, unique in the world. RocketMQ: "01" ids of the 5.x clients."""

from mq.core.errors import IllegalArgumentError

__all__ = ["ID_EPOCH_S", "MESSAGE_ID_CHARS", "MessageIds"]

ID_EPOCH_S = 1_609_459_200
"""2021-01-01 UTC in Unix seconds: where the seconds in a message id begin."""

MESSAGE_ID_CHARS = 34
_COUNTER_MASK = 0xFFFFFFFF


class MessageIds:
    """A source of message ids: version 01, MAC address, process id, start time, counter, as upper-case hex.

    mac: 6 bytes. process_id: its lowest 16 bits are used. now_s: Unix seconds when this source is made.
    counter: where to begin, for instance a random number, so that two sources of one second differ.
    Raises: IllegalArgumentError.
    """

    def __init__(self, mac: bytes, process_id: int, now_s: int, counter: int = 0) -> None:
        if len(mac) != 6:
            raise IllegalArgumentError(f"mac: {len(mac)} bytes, it must be 6")
        seconds = (now_s - ID_EPOCH_S) & 0xFFFFFFFF
        self._prefix = f"01{mac.hex().upper()}{process_id & 0xFFFF:04X}{seconds:08X}"
        self._counter = counter & _COUNTER_MASK

    def next(self) -> str:
        """One id."""
        counter = self._counter
        self._counter = (counter + 1) & _COUNTER_MASK
        return f"{self._prefix}{counter:08X}"

    def take(self, count: int) -> list[str]:
        """So many ids, in order."""
        prefix, first = self._prefix, self._counter
        self._counter = (first + count) & _COUNTER_MASK
        return [f"{prefix}{counter & _COUNTER_MASK:08X}" for counter in range(first, first + count)]
