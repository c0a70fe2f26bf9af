"""Which clients are there: who was heard of, when, and what they said of themselves.

Nothing depends on it but renewals and what a person is shown: every call works for a client never heard of.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from mq.core.limits import CLIENT_LIFETIME_MS

__all__ = ["Client", "Clients"]

_CLIENTS_MAX = 50_000
_FORGET_EVERY_MS = 10_000
_ALIVE_MS = 30_000
"""Clients send a heartbeat every 10 s."""


@dataclass(slots=True)
class Client:
    """One client id. client_type: RocketMQ's number. last_heard_ms: on the monotonic clock. streams: open Telemetry calls."""

    client_id: str
    client_type: int = 0
    language: str = ""
    version: str = ""
    address: str = ""
    last_heard_ms: int = 0
    streams: int = 0
    groups: set[str] = field(default_factory=set)


class Clients:
    """The clients heard of lately; silent ones are forgotten after `CLIENT_LIFETIME_MS`, as soon as a new one is heard of.

    on_cut: called with a client id when a Telemetry call of that client ended without a goodbye: its connection broke.
    """

    def __init__(self, monotonic_ms: Callable[[], int]) -> None:
        self._monotonic_ms = monotonic_ms
        self.on_cut: list[Callable[[str], None]] = []
        self._clients: dict[str, Client] = {}
        self._forgot_ms = monotonic_ms()

    def heard(
        self, client_id: str, *, group: str = "", client_type: int = 0, language: str = "", version: str = "", address: str = ""
    ) -> None:
        """A sign of life."""
        client = self._clients.get(client_id)
        if client is None:
            if self._monotonic_ms() - self._forgot_ms >= _FORGET_EVERY_MS:
                self.forget_silent()
            if len(self._clients) >= _CLIENTS_MAX:
                return
            client = self._clients[client_id] = Client(client_id)
        client.last_heard_ms = self._monotonic_ms()
        client.client_type = client_type or client.client_type
        client.language = language or client.language
        client.version = version or client.version
        client.address = address or client.address
        if group:
            client.groups.add(group)

    def heard_again(self, client_id: str) -> bool:
        """A sign of life of a client that is known; False, and nothing is noted, for one that is not."""
        client = self._clients.get(client_id)
        if client is None:
            return False
        client.last_heard_ms = self._monotonic_ms()
        return True

    def is_known(self, client_id: str) -> bool:
        """Whether the client was heard of, and not forgotten since."""
        return client_id in self._clients

    def silent_ms(self, client_id: str) -> int | None:
        """How long ago the client was heard of; None when never."""
        client = self._clients.get(client_id)
        return None if client is None else self._monotonic_ms() - client.last_heard_ms

    def stream_opened(self, client_id: str) -> None:
        """A Telemetry call of the client began."""
        if client := self._clients.get(client_id):
            client.streams += 1

    def stream_closed(self, client_id: str) -> None:
        """A Telemetry call of the client ended. Clients keep one for as long as a connection stands, and say goodbye before."""
        if client := self._clients.get(client_id):
            client.streams = max(0, client.streams - 1)
            for notice in self.on_cut:
                notice(client_id)

    def is_alive(self, client_id: str) -> bool:
        """Whether the client still works on what it has: it was heard of, or holds a Telemetry call open.

        The call ends with the client's process; but a network that swallows everything keeps it open, so that it
        counts only for `CLIENT_LIFETIME_MS`.
        """
        client = self._clients.get(client_id)
        if client is None:
            return False
        return self._monotonic_ms() - client.last_heard_ms <= (CLIENT_LIFETIME_MS if client.streams else _ALIVE_MS)

    def gone(self, client_id: str) -> None:
        """The client said goodbye."""
        self._clients.pop(client_id, None)

    def forget_silent(self) -> None:
        """Drop clients not heard of for too long."""
        self._forgot_ms = self._monotonic_ms()
        limit_ms = self._forgot_ms - CLIENT_LIFETIME_MS
        silent = [c for c in self._clients.values() if c.last_heard_ms < limit_ms]
        for client in silent:
            del self._clients[client.client_id]

    def groups_of(self, client_id: str) -> frozenset[str]:
        """The groups that the client was heard of with."""
        client = self._clients.get(client_id)
        return frozenset(client.groups) if client else frozenset()

    def of_group(self, group: str) -> Iterator[Client]:
        """The clients of one consumer group."""
        return (c for c in self._clients.values() if group in c.groups)

    def __len__(self) -> int:
        return len(self._clients)
