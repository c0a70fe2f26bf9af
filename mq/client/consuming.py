"""What a push consumer does with a message that its listener has not taken, by the settings that a broker tells."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from mq.core.errors import IllegalArgumentError

__all__ = ["ConsumerSettings", "Failed", "RetryPolicy", "Step", "after_failure", "checked_subscriptions", "exponential"]

_DELAYS_MAX = 64


def checked_subscriptions(subscriptions: Mapping[str, str]) -> dict[str, str]:
    """Tags by topic. Raises: IllegalArgumentError, when there is none."""
    if not subscriptions:
        raise IllegalArgumentError("subscriptions: there is none; it is such as {'orders': '*'}")
    return dict(subscriptions)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """attempts_max: deliveries in all. delays_ms: between failed ones, by attempt; the last one repeats."""

    attempts_max: int = 17
    delays_ms: tuple[int, ...] = (1_000,)

    def delay_ms(self, attempt: int) -> int:
        """How long to wait behind this attempt, which is the first one or a later one."""
        return self.delays_ms[min(max(attempt, 1), len(self.delays_ms)) - 1]


def exponential(initial_ms: int, max_ms: int, multiplier: float) -> tuple[int, ...]:
    """The delays of an exponential back-off, up to the one that repeats. RocketMQ: ExponentialBackoff."""
    delays, next_ms = [min(initial_ms, max_ms)], float(initial_ms)
    while delays[-1] < max_ms and multiplier > 1 and initial_ms > 0 and len(delays) < _DELAYS_MAX:
        next_ms *= multiplier
        delays.append(int(min(next_ms, max_ms)))
    return tuple(delays)


@dataclass(frozen=True, slots=True)
class ConsumerSettings:
    """What a broker decides for a consumer. is_fifo: whether its group is an ordered one. RocketMQ: Settings."""

    is_fifo: bool = False
    batch_max: int = 32
    long_poll_ms: int = 20_000
    retry: RetryPolicy = field(default_factory=RetryPolicy)


class Step(Enum):
    """What becomes of the message.

    hide: the broker hands it out again later. again: the listener gets it once more, here, and nothing of its message group
    meanwhile. give_up: it becomes a dead letter.
    """

    HIDE = "hide"
    AGAIN = "again"
    GIVE_UP = "give up"


class Failed(NamedTuple):
    """What follows. delay_ms: later by so much."""

    step: Step
    delay_ms: int


def after_failure(settings: ConsumerSettings, attempt: int) -> Failed:
    """attempt: the one that failed, those made here included.

    Of an ordered group nothing may overtake, so that it is tried again where it is; the broker counts no such attempts, and has
    to be told when they are used up. RocketMQ: ForwardMessageToDeadLetterQueue, ChangeInvisibleDuration.
    """
    delay_ms = settings.retry.delay_ms(attempt)
    if not settings.is_fifo:
        return Failed(Step.HIDE, delay_ms)
    return Failed(Step.AGAIN, delay_ms) if attempt < settings.retry.attempts_max else Failed(Step.GIVE_UP, 0)
