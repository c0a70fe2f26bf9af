"""Where one test works: fresh topics and groups, and raw clients of them."""

from contextlib import ExitStack
from functools import cached_property
from itertools import count
from typing import Any

from mq.core.message import MessageKind
from mq.rpc.admin_client import AdminClient
from tests.interop.raw import RawClient


class Place:
    """Names are unique within a broker. Clients are closed with the test."""

    def __init__(self, endpoint: str, admin: AdminClient, stack: ExitStack, number: int) -> None:
        self.endpoint, self.admin = endpoint, admin
        self._stack, self._number, self._numbers = stack, number, count(1)

    def new_name(self, what: str) -> str:
        return f"{what}-{self._number}-{next(self._numbers)}"

    def new_topic(self, kind: MessageKind = MessageKind.NORMAL, queues: int = 4) -> str:
        name = self.new_name("topic")
        self.admin.create_topic(name, kind=kind, queues=queues)
        return name

    def new_group(self, *, is_fifo: bool = False, max_attempts: int = 0) -> str:
        name = self.new_name("group")
        self.admin.create_group(name, is_fifo=is_fifo, max_attempts=max_attempts)
        return name

    @cached_property
    def topic(self) -> str:
        """A topic of normal messages with four queues."""
        return self.new_topic()

    @cached_property
    def group(self) -> str:
        return self.new_group()

    def raw(self, topic: str | None = None, group: str | None = None, **more: Any) -> RawClient:
        client = RawClient(self.endpoint, self.topic if topic is None else topic, self.group if group is None else group, **more)
        return self._stack.enter_context(client)

    def raw_at(self, endpoint: str) -> RawClient:
        """A client of the place's topic and group at another endpoint, to be closed by the caller."""
        return RawClient(endpoint, self.topic, self.group)

    def keep(self, client: RawClient) -> None:
        """Close it with the test."""
        self._stack.enter_context(client)
