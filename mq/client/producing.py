"""What a producer decides: where a message goes, and where it goes again after an error.

A message that a broker group may have stored (an *indefinite* error) goes to the same group again: it knows the message by its id
and stores it once. Another group would store it a second time. One that was certainly not stored may go anywhere, and goes
elsewhere; but for an ordered one, whose message group is at home at one broker group. A refusal is told to the caller: nothing
gets better by asking again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from mq.client.choice import QueueChoice, Sending, home_of
from mq.client.queues import QueueName
from mq.core.errors import Fault, MqError

__all__ = ["Delivery", "Producing"]

_PAUSES_MS = (100, 300)
"""Behind the first attempt, and behind later ones: a broker has held each for as long as an election takes."""


@dataclass(slots=True)
class Delivery:
    """One message on its way. key: of messages that belong together. message_group: of an ordered one.

    bound_to: the broker group that may have it; empty: none. avoid: broker groups that did not take it. sending: the attempt
    under way.
    """

    key: str = ""
    message_group: str = ""
    attempts: int = 0
    bound_to: str = ""
    avoid: set[str] = field(default_factory=set)
    sending: Sending | None = None
    unsure: MqError | None = None


class Producing:
    """The decisions of one producer. attempts_max: for one message, in all."""

    def __init__(self, choice: QueueChoice, attempts_max: int = 3) -> None:
        self._choice, self._attempts_max = choice, attempts_max

    def next_queue(self, delivery: Delivery, queues: Sequence[QueueName], now_ms: int) -> QueueName:
        """Where the next attempt goes, which has begun with that. queues: those that may be written to.

        Raises: RefusedError, when there is none; what left the message in doubt, when the group that may have it is gone.
        """
        among = [queue for queue in queues if not delivery.bound_to or queue.broker == delivery.bound_to]
        if not among and delivery.unsure is not None:
            raise delivery.unsure
        if delivery.message_group:
            queue = home_of(delivery.message_group, among)
        else:
            queue = self._choice.choose(among, now_ms, key=delivery.key, avoid=delivery.avoid)
        delivery.attempts += 1
        delivery.sending = self._choice.begun(queue, now_ms)
        return queue

    def done(self, delivery: Delivery, now_ms: int) -> None:
        """It is stored, or nobody waits for it any more."""
        assert delivery.sending is not None
        self._choice.ended(delivery.sending, now_ms)

    def pause_ms(self, delivery: Delivery, queues: Sequence[QueueName]) -> int:
        """How long to wait before the next attempt: not at all, where another broker group has not been asked yet."""
        untried = {queue.broker for queue in queues} - delivery.avoid
        if untried and not delivery.bound_to and not delivery.message_group:
            return 0
        return _PAUSES_MS[min(delivery.attempts, len(_PAUSES_MS)) - 1]

    def failed(self, delivery: Delivery, error: MqError, now_ms: int) -> MqError | None:
        """The attempt came to an error. None: try again, at `next_queue`; else what the caller is to be told."""
        assert delivery.sending is not None
        broker = delivery.sending.queue.broker
        is_refusal = error.fault is Fault.CALLER
        self._choice.ended(delivery.sending, now_ms, is_failed=not is_refusal)
        if not error.definite:
            delivery.bound_to, delivery.unsure = broker, delivery.unsure or error
        elif not delivery.bound_to:
            delivery.avoid.add(broker)
        if is_refusal or delivery.attempts >= self._attempts_max:
            return error if is_refusal else delivery.unsure or error
        return None
