"""A second listener: whoever comes in by it is told its addresses, and nobody else is."""

import socket
from pathlib import Path

from mq.proto import rocketmq_v2_pb2 as pb
from tests.cluster.broker_process import BrokerProcess, free_port
from tests.interop.raw import OK, RawClient

OUTSIDE = ("127.0.0.2:9001", "127.0.0.2:9002")


def told(endpoint: str, language: str = "PYTHON") -> set[str]:
    """All addresses of the route of a topic, and of what a push consumer is assigned."""
    with RawClient(endpoint, "bread", "bakers", language=language) as client:
        route, assigned = client.route(), client.assignments()
    assert (route.status.code, assigned.status.code) == (OK, OK)
    queues: list[pb.MessageQueue] = [*route.message_queues, *(one.message_queue for one in assigned.assignments)]
    return {f"{address.host}:{address.port}" for queue in queues for address in queue.broker.endpoints.addresses}


def test_routes_name_the_addresses_of_the_listener_that_was_asked(tmp_path: Path) -> None:
    outside = f"127.0.0.1:{free_port()}"
    with BrokerProcess(tmp_path, "--listen-outside", outside, "--advertise-outside", ",".join(OUTSIDE)) as broker:
        assert broker.mq("topic", "create", "bread").code == 0
        assert told(broker.endpoint) == {broker.endpoint}
        assert told(outside) == set(OUTSIDE)
        with RawClient(outside, "bread", "bakers") as client:
            client.send(b"a loaf")
        with RawClient(broker.endpoint, "bread", "bakers") as client:
            assert client.receive().bodies == [b"a loaf"]
        assert broker.terminate() == 0


def test_a_second_port_that_is_taken_is_named_and_nothing_serves(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        outside = f"127.0.0.1:{taken.getsockname()[1]}"
        broker = BrokerProcess(tmp_path, "--listen-outside", outside)
        assert broker.launch().wait(30) == 1
    assert f"cannot listen on {outside}" in broker.log
    assert "Traceback" not in broker.log
