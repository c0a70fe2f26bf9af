"""The last answers of server streams that lost their leader, so that no client takes that for an error of its own.

A long poll ends as if nothing new had come, as any poll does whose time is over, and what arrived before may be taken: clients
drop messages that no delivery timestamp follows. RocketMQ: ReceiveMessage.
"""

import time
from collections.abc import Callable, Mapping

from mq.core.errors import Code
from mq.proto import rocketmq_v2_pb2 as pb
from mq.rpc.status import status

__all__ = ["ENDINGS", "delivered_now", "nothing_new"]


def delivered_now() -> bytes:
    """The last answer to ReceiveMessage."""
    response = pb.ReceiveMessageResponse()
    response.delivery_timestamp.FromNanoseconds(time.time_ns())
    return response.SerializeToString()


def nothing_new() -> list[bytes]:
    """All answers to a ReceiveMessage that found no message."""
    empty = pb.ReceiveMessageResponse(status=status(Code.MESSAGE_NOT_FOUND, "no new message"))
    return [empty.SerializeToString(), delivered_now()]


def _receive(*, has_begun: bool, why: str = "") -> list[bytes]:
    if has_begun:
        return [delivered_now()]
    if not why:
        return nothing_new()
    refused = pb.ReceiveMessageResponse(status=status(Code.PROXY_TIMEOUT, why))
    return [refused.SerializeToString(), delivered_now()]


def _pull(*, has_begun: bool, why: str = "") -> list[bytes]:
    failed = pb.PullMessageResponse(status=status(Code.PROXY_TIMEOUT, why or "the group has no leader now; try again"))
    return [] if has_begun else [failed.SerializeToString()]


ENDINGS: Mapping[str, Callable[..., list[bytes]]] = {"ReceiveMessage": _receive, "PullMessage": _pull}
"""By RPC name; has_begun: whether there were answers before. why: what to say where waiting does not help, for nobody elects."""
