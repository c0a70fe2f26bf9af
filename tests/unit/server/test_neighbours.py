"""What a broker node knows of other groups, and for how long."""

from dataclasses import replace

from mq.core.message import MessageKind, Permission
from mq.registry.registration import NodeKey, Registration, RegistryTimes, Replication, Role, Serial, TopicEntry
from mq.server.neighbours import Neighbours

TIMES = RegistryTimes.fast()
KEY = NodeKey("broker-a", 1)


def said(broker: str, queues: int) -> Registration:
    return Registration(
        "raftmq", broker, 1, Serial(1, 1), Replication.SOLO, Role.LEADER, 0, 1, f"{broker}:1", (f"{broker}:1",),
        topics=(TopicEntry("orders", MessageKind.NORMAL, queues, Permission.READ_WRITE),),
    )  # fmt: skip


class Scene:
    """A node that has `queues` queues of a topic, at a time that is set."""

    def __init__(self) -> None:
        self.now_s, self.queues = 0.0, 2
        self.neighbours = Neighbours(KEY, [("127.0.0.1", 1)], TIMES, clock=lambda: self.now_s)
        self.neighbours.join(lambda: said("broker-a", self.queues))

    def route(self) -> list[str]:
        route = self.neighbours.route("orders")
        return [f"{queue.broker[-1]}{queue.queue_id}" for queue in route.queues] if route else []


def test_its_own_group_it_knows_by_itself_and_at_once() -> None:
    scene = Scene()
    assert scene.route() == ["a0", "a1"]
    scene.neighbours.told([said("broker-a", 1), said("broker-b", 1)])  # what a registry says of it is older
    assert scene.route() == ["a0", "b0", "a1"]
    scene.queues = 3
    scene.neighbours.own_has_changed()
    assert scene.route() == ["a0", "b0", "a1", "a2"]
    assert scene.neighbours.own_addresses() == ("broker-a:1",)


def test_what_was_known_last_holds_until_it_would_have_expired() -> None:
    scene = Scene()
    scene.neighbours.told([said("broker-b", 1)])
    scene.now_s = TIMES.expiry_ms / 1000
    assert scene.route() == ["a0", "b0", "a1"]
    scene.now_s += 0.001
    assert scene.route() == ["a0", "a1"]
    scene.neighbours.told([replace(said("broker-b", 1), is_writable=False)])
    assert scene.route() == ["a0", "b0", "a1"]


def test_before_it_knows_itself_it_knows_nobody() -> None:
    neighbours = Neighbours(KEY, [("127.0.0.1", 1)], TIMES)
    neighbours.told([said("broker-b", 1)])
    assert neighbours.brokers() == {}
    assert neighbours.own_addresses() == ()
