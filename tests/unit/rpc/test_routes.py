"""Whom clients are told of: the addresses of this node's settings, or those that the group itself knows."""

from collections.abc import Sequence

from mq.broker.state import Topic
from mq.core.address import Address
from mq.core.message import MessageKind, Permission
from mq.proto import rocketmq_v2_pb2 as pb
from mq.rpc.routes import RouteBook

A, B, C, D = (("10.0.0.1", 1), ("10.0.0.2", 1), ("10.0.0.3", 1), ("10.0.0.4", 1))


def topic() -> Topic:
    made = Topic("t", MessageKind.NORMAL, Permission.READ_WRITE, 1)
    made.grow(1)
    return made


def told(book: RouteBook, language: str = "JAVA") -> list[list[Address]]:
    """Addresses of each broker in a route."""
    queues = book.queues(topic(), pb.Resource(name="t"), language)
    return [[(address.host, address.port) for address in queue.broker.endpoints.addresses] for queue in queues]


def test_without_more_knowledge_clients_are_told_what_the_settings_say() -> None:
    assert told(RouteBook("b", [B, A])) == [[A, B]]
    assert told(RouteBook("b", [B, A], members=lambda: None)) == [[A, B]]


def test_clients_are_told_of_the_members_as_they_are_now_in_a_stable_order() -> None:
    members: list[Sequence[Address] | None] = [None]
    book = RouteBook("b", [A], own=A, members=lambda: members[0])
    assert told(book) == [[A]]
    members[0] = [C, A, B]
    assert told(book) == [[A, B, C]]
    members[0] = [B, C, D]
    assert told(book) == [[B, C, D]]
    members[0] = None
    assert told(book) == [[A]]


def test_a_rust_client_is_told_of_the_node_that_it_came_in_by() -> None:
    assert told(RouteBook("b", [A], own=B, members=lambda: [A, B]), "RUST") == [[B]]


def test_for_a_node_client_each_member_is_a_broker_with_a_number_of_its_own_and_has_all_queues() -> None:
    book = RouteBook("b", [A], own=B, members=lambda: [A, B, C])
    wide = topic()
    wide.grow(2)
    queues = book.queues(wide, pb.Resource(name="t"), "HTTP")
    # It sends to queues of number 0 alone, and asks the first broker for what it polls: the node that it has come in by.
    places = [(queue.broker.name, queue.id) for queue in queues]
    assert places == [("b-2", 0), ("b-2", 1), ("b-1", 0), ("b-1", 1), ("b-3", 0), ("b-3", 1)]
    assert [len(queue.broker.endpoints.addresses) for queue in queues] == [1] * 6


def test_a_push_consumer_polls_the_whole_of_each_broker_and_of_a_fifo_group_each_queue() -> None:
    book = RouteBook("b", [A], own=B, members=lambda: [A, B, C])
    wide, named = topic(), pb.Resource(name="t")
    wide.grow(2)
    whole, fifo, node = book.polled(wide, named), book.polled(wide, named, is_fifo=True), book.polled(wide, named, "HTTP")
    assert [(queue.broker.name, queue.id) for queue in whole] == [("b", -1)]
    assert [(queue.broker.name, queue.id) for queue in fifo] == [("b", 0), ("b", 1)]
    assert [(queue.broker.name, queue.id) for queue in node] == [("b-2", -1), ("b-1", -1), ("b-3", -1)]
