"""What the clients of a run call, beyond what programs for every day need."""

from typing import Any

from mq.client.errors import check_code
from mq.rpc.message_calls import Delivered, MessageCalls
from mq.rpc.methods import MESSAGING

__all__ = ["Calls"]

_CHANGE = "ChangeInvisibleDuration"


class Calls(MessageCalls):
    """One attempt a call, see `MessageCalls`."""

    async def __aenter__(self) -> "Calls":
        await super().__aenter__()
        return self

    async def change_invisible(self, topic: str, group: str, one: Delivered, invisible_s: float) -> Delivered:
        """Hide a delivery for so long from now on; the same with its new handle. Raises: MqError."""
        request: Any = MESSAGING[_CHANGE].request()
        request.group.name, request.topic.name = group, topic
        request.receipt_handle, request.message_id = one.handle, one.message_id
        request.invisible_duration.FromMilliseconds(round(invisible_s * 1000))
        response = await self._call(_CHANGE, request)
        check_code(response.status.code, response.status.message)
        return one._replace(handle=response.receipt_handle)
