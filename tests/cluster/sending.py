"""Official producers and consumers that go on while something happens, and what must hold of what they saw."""

from mq.core.limits import RENEW_INVISIBLE_MS
from tests.cluster.broker_process import wait_until
from tests.cluster.group import Sent
from tests.interop.driving import Official

__all__ = ["check_consumed", "sent_by", "wait_for_more"]


def sent_by(official: Official, *clients: str) -> list[Sent]:
    """All that these producers sent; they stop."""
    return [Sent(*note) for client in clients for note in official.stop_sending(client)]


def wait_for_more(official: Official, client: str, count: int = 100) -> None:
    """Until so many more messages were acknowledged."""
    goal = official.acknowledged(client) + count
    wait_until(lambda: official.acknowledged(client) >= goal, f"{count} more messages of {client} are acknowledged")


_CONSUMED_S_MAX = RENEW_INVISIBLE_MS / 1000 + 30.0
"""What a node took with it when it died, on its way to the consumer, comes again when its invisible time is over."""


def check_consumed(official: Official, consumer: str, sent: list[Sent]) -> None:
    """A push consumer was given all that was acknowledged, and nothing that was not sent."""
    acked = {one.body for one in sent if not one.error}

    def is_all_there() -> bool:
        return acked <= {body for _, body, _ in official.seen(consumer)}

    wait_until(is_all_there, "all that was acknowledged is consumed", limit_s=_CONSUMED_S_MAX)
    assert {body for _, body, _ in official.seen(consumer)} <= {one.body for one in sent}, "invented"
