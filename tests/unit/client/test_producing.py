"""Where a message goes again after an error: the rule by which none is stored twice and none is given up too early."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mq.client.choice import CHOICES, home_of, queue_choice
from mq.client.errors import ConnectionLostError, NoAnswerError, UnreachableError
from mq.client.producing import Delivery, Producing
from mq.client.queues import QueueName
from mq.client.route_cache import KnownQueue, RouteCache
from mq.core.errors import Code, MqError, NotServingError, OutcomeUnknownError, RefusedError
from mq.core.message import MessageKind

QUEUES = [QueueName("orders", broker, number) for number in range(2) for broker in ("a", "b", "c")]
DEFINITE = (UnreachableError("gone"), NotServingError("stopping"))
INDEFINITE = (ConnectionLostError("broke"), NoAnswerError("silent"), OutcomeUnknownError("stopped"))


def producing(attempts_max: int = 3) -> Producing:
    return Producing(queue_choice("round_robin", random.Random(1).randrange), attempts_max)


@pytest.mark.parametrize("error", DEFINITE)
def test_what_was_certainly_not_stored_goes_elsewhere(error: MqError) -> None:
    core, delivery = producing(), Delivery()
    tried = []
    for _ in range(2):
        tried.append(core.next_queue(delivery, QUEUES, 0).broker)
        assert core.failed(delivery, error, 1) is None
    tried.append(core.next_queue(delivery, QUEUES, 2).broker)
    assert sorted(tried) == ["a", "b", "c"]
    assert core.failed(delivery, error, 3) is error


@pytest.mark.parametrize("error", INDEFINITE)
def test_what_may_have_been_stored_goes_to_the_same_group_again(error: MqError) -> None:
    core, delivery = producing(), Delivery()
    first = core.next_queue(delivery, QUEUES, 0)
    assert core.failed(delivery, error, 1) is None
    again = core.next_queue(delivery, QUEUES, 2)
    assert again.broker == first.broker
    assert core.failed(delivery, DEFINITE[0], 3) is None  # this attempt did nothing; the first one may have
    assert core.next_queue(delivery, QUEUES, 4).broker == first.broker
    assert core.failed(delivery, DEFINITE[1], 5) is error


def test_when_the_group_that_may_have_it_has_left_the_route_the_doubt_is_told() -> None:
    core, delivery = producing(), Delivery()
    first = core.next_queue(delivery, QUEUES, 0)
    assert core.failed(delivery, INDEFINITE[0], 1) is None
    with pytest.raises(ConnectionLostError):
        core.next_queue(delivery, [queue for queue in QUEUES if queue.broker != first.broker], 2)


def test_a_refusal_is_told_at_once() -> None:
    core, delivery = producing(), Delivery()
    core.next_queue(delivery, QUEUES, 0)
    refusal = RefusedError(Code.ILLEGAL_TOPIC, "no")
    assert core.failed(delivery, refusal, 1) is refusal
    assert delivery.attempts == 1


def test_without_a_queue_there_is_a_refusal() -> None:
    with pytest.raises(RefusedError, match="no queue that may be written to"):
        producing().next_queue(Delivery(), [], 0)


def test_who_has_nobody_else_to_ask_waits_before_asking_again() -> None:
    core, delivery = producing(9), Delivery()
    pauses = []
    for _ in range(4):
        core.next_queue(delivery, QUEUES, 0)
        core.failed(delivery, DEFINITE[0], 0)
        pauses.append(core.pause_ms(delivery, QUEUES))
    assert pauses == [0, 0, 300, 300]  # three groups
    bound = Delivery()
    core.next_queue(bound, QUEUES, 0)
    core.failed(bound, INDEFINITE[0], 0)
    assert core.pause_ms(bound, QUEUES) == 100


@given(st.lists(st.sampled_from([*DEFINITE, *INDEFINITE]), min_size=1, max_size=12), st.integers(1, 8))
def test_no_message_is_ever_at_two_groups_that_may_have_stored_it(errors: list[MqError], attempts_max: int) -> None:
    core, delivery = producing(attempts_max), Delivery()
    may_have: set[str] = set()
    for number, error in enumerate(errors):
        queue = core.next_queue(delivery, QUEUES, number)
        told = core.failed(delivery, error, number)
        if not error.definite:
            may_have.add(queue.broker)
        assert len(may_have) <= 1
        if told is not None:
            assert delivery.attempts == attempts_max
            assert told.definite is (not may_have)  # whoever is told "not stored" can rely on it
            return
    assert delivery.attempts < attempts_max


@pytest.mark.parametrize("choice", sorted(CHOICES))
def test_an_ordered_message_goes_to_the_home_of_its_message_group_alone(choice: str) -> None:
    """Also when that one cannot take it: order is worth more than a quick answer."""
    core, homes = Producing(queue_choice(choice, random.Random(1).randrange), 3), {}
    for name in map(str, range(60)):
        delivery = Delivery(message_group=name)
        tried = []
        for number in range(3):
            tried.append(core.next_queue(delivery, QUEUES, number).broker)
            told = core.failed(delivery, DEFINITE[0], number)
            assert (told is None) is (number < 2)
            assert core.pause_ms(delivery, QUEUES) > 0
        assert len(set(tried)) == 1
        homes[name] = tried[0]
    assert all(10 <= list(homes.values()).count(broker) <= 30 for broker in "abc")
    fewer = [queue for queue in QUEUES if queue.broker != "b"]
    moved = {name for name, home in homes.items() if home_of(name, fewer).broker != home}
    assert moved == {name for name, home in homes.items() if home == "b"}
    with pytest.raises(RefusedError, match="no queue that may be written to"):
        home_of("1", [])


def queue(broker: str, number: int) -> KnownQueue:
    return KnownQueue(QueueName("orders", broker, number), MessageKind.NORMAL, True, True, (f"{broker}:1",))


def test_a_route_is_asked_for_again_when_it_is_old_and_holds_while_nobody_answers() -> None:
    routes = RouteCache(every_ms=100)
    with pytest.raises(KeyError):
        routes.queues("orders")
    assert routes.told("orders", (queue("a", 0),), now_ms=0)
    assert routes.due(99) == ()
    assert routes.due(100) == ("orders",)
    routes.failed("orders", UnreachableError("gone"), now_ms=100)
    assert routes.queues("orders") == (queue("a", 0),)
    assert routes.due(150) == ()  # not each moment
    assert not routes.told("orders", (queue("a", 0),), now_ms=200)
    assert routes.told("orders", (queue("a", 0), queue("b", 0)), now_ms=300)
    assert routes.addresses() == {"a": ("a:1",), "b": ("b:1",)}
    routes.forget("orders")
    with pytest.raises(KeyError):
        routes.queues("orders")


def test_a_topic_that_was_never_told_of_raises_what_the_question_came_to() -> None:
    routes = RouteCache()
    routes.failed("orders", RefusedError(Code.TOPIC_NOT_FOUND, "no topic orders"), now_ms=0)
    with pytest.raises(RefusedError, match="no topic orders"):
        routes.queues("orders")
