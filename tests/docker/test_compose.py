"""The containers of docker/compose.yaml: clients on both sides of the network, a killed leader, volumes that stay."""

import asyncio
import json
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from mq.cluster import docker_plan as planned
from mq.cluster.docker_engine import engine
from mq.core.errors import Code, RefusedError
from tests.cluster.broker_process import run_mq, wait_until
from tests.cluster.load import read_queues
from tests.docker.compose import Compose
from tests.interop.driving import Official
from tests.interop.raw import OK, RawClient

pytestmark = pytest.mark.timeout(300)  # making and removing containers is no quick matter on a busy machine
QUEUES = 8
PYTHON = "/opt/raftmq/bin/python"
ENOUGH = 300
ASK_ROUTE = """
import json, sys, grpc
from mq.proto import rocketmq_v2_pb2 as pb
from mq.rpc.methods import unary
channel = grpc.insecure_channel(sys.argv[1])
request = pb.QueryRouteRequest(topic=pb.Resource(name=sys.argv[2]))
route = unary(channel, "QueryRoute")(request, timeout=10, metadata=[("x-mq-client-id", "inside"), ("x-mq-language", "PYTHON")])
found = {f"{one.host}:{one.port}" for queue in route.message_queues for one in queue.broker.endpoints.addresses}
print(json.dumps(sorted(found)))
"""


@pytest.fixture
def official(compose: Compose, tmp_path: Path) -> Iterator[Official]:
    process = Official(";".join(compose.outside), tmp_path)
    yield process
    process.kill()


def create(compose: Compose, topic: str) -> None:
    made = run_mq("topic", "create", topic, "--queues", str(QUEUES), "--endpoint", ",".join(compose.outside))
    assert made.code == 0, made


def stored(client: str, topic: str) -> list[str]:
    """All that a topic holds, as this node has it itself; nothing while it does not know the topic yet."""
    try:
        return sorted(one.body.decode() for one in asyncio.run(read_queues(client, topic, QUEUES)))
    except RefusedError as error:
        if error.code != Code.TOPIC_NOT_FOUND:
            raise
        return []


def check_stored_everywhere(compose: Compose, topic: str, expected: Iterable[str]) -> None:
    """Each of the nodes has exactly these; one that does not lead may be a moment behind."""
    wanted = sorted(expected)
    for client in compose.outside:

        def has_all(client: str = client) -> bool:
            return len(stored(client, topic)) >= len(wanted)

        wait_until(has_all, f"{client} has all of {topic}")
        assert stored(client, topic) == wanted, client


def test_the_image_runs_as_nobody_with_an_init_and_says_how_it_is(compose: Compose) -> None:
    container = compose.container("broker-a-1")
    assert container.attrs["HostConfig"]["Init"] is True
    assert container.exec_run(["id", "-u"]).output.strip() != b"0"
    assert container.exec_run(["mq", "health"]).exit_code == 0
    wait_until(
        lambda: container.reload() or container.attrs["State"]["Health"]["Status"] == "healthy", "it is healthy", limit_s=150
    )


def test_both_sides_of_the_network_are_told_addresses_that_they_reach(compose: Compose) -> None:
    create(compose, "both-sides")
    with RawClient(compose.outside[0], "both-sides", "g") as client:
        assert told(client) == set(compose.outside)
    inside = engine().containers.run(
        compose.image, ["-c", ASK_ROUTE, "broker-a-2:8081", "both-sides"], entrypoint=["/opt/raftmq/bin/python"],
        network=f"{compose.project}_mq", remove=True, tmpfs={planned.DATA: ""},
    )  # fmt: skip
    assert json.loads(inside) == compose.inside
    # And they are good: one side sends by them, the other one receives.
    sent = engine().containers.run(
        compose.image, ["send", "both-sides", "a loaf", "--endpoint", ",".join(compose.inside)],
        network=f"{compose.project}_mq", remove=True, tmpfs={planned.DATA: ""},
    )  # fmt: skip
    assert sent
    check_stored_everywhere(compose, "both-sides", ["a loaf"])


def test_registry_nodes_tell_both_sides_addresses_that_they_reach_and_say_how_they_are(compose: Compose) -> None:
    outside = [f"127.0.0.1:{port}" for port in compose.registry_ports.values()]
    assert run_mq("topic", "create", "by-registry", "--endpoint", ",".join(outside)).code == 0
    for client in outside:
        with RawClient(client, "by-registry", "g") as raw:

            def is_known(raw: RawClient = raw) -> bool:
                return bool(raw.route().status.code == OK)

            wait_until(is_known, "it knows the topic")
            assert told(raw) == set(compose.outside)
    inside = compose.container("registry-2").exec_run([PYTHON, "-c", ASK_ROUTE, "registry-1:9876", "by-registry"])
    assert json.loads(inside.output) == compose.inside
    assert compose.container("registry-1").exec_run(["mq", "health"]).exit_code == 0
    shown = run_mq("cluster", "groups", "--endpoint", outside[1])
    assert [line.split()[0] for line in shown.out.splitlines()[1:]] == list(compose.names), shown


@pytest.mark.night  # three more containers
def test_a_second_group_joins_by_a_profile_and_a_topic_is_widened_onto_it(image: str, has_compose: None) -> None:
    compose = Compose(image, environment={"COMPOSE_PROFILES": "second-group"})
    try:
        compose.up()
        registry = f"127.0.0.1:{compose.registry_ports['registry-1']}"

        def has_both() -> bool:
            return len(run_mq("cluster", "groups", "--endpoint", registry).out.splitlines()) == 1 + 6

        wait_until(has_both, "six nodes have registered", limit_s=90)
        made = run_mq("topic", "create", "wide", "--queues", "8", "--endpoint", registry)
        assert made.code == 0, made
        with RawClient(registry, "wide", "g") as raw:
            assert {queue.broker.name for queue in raw.route().message_queues} == {"broker-a", "broker-b"}
            assert {raw.try_send() for _ in range(20)} == {OK}
    finally:
        compose.run("down", "--volumes", "--timeout", "1")


def told(client: RawClient) -> set[str]:
    """The addresses in a route."""
    return {f"{one.host}:{one.port}" for queue in client.route().message_queues for one in queue.broker.endpoints.addresses}


def test_status_shows_each_node_once_by_the_addresses_of_the_side_that_asks(compose: Compose) -> None:
    await_rows(compose, ",".join(compose.outside), compose.outside[1])
    inside = json.loads(asked_inside(compose, "raft", "status", "--endpoint", "broker-a-2:8081", "-o", "json"))
    assert {one["client"] for node in inside["nodes"] for one in node["addresses"]} == set(compose.inside)
    leader = compose.leader()
    compose.container(leader).kill("SIGKILL")
    try:
        alive = [f"127.0.0.1:{port}" for name, port in compose.ports.items() if name != leader]
        await_rows(compose, ",".join(compose.outside), *alive)
    finally:
        compose.container(leader).start()
        wait_until(compose.is_whole, "the killed one is back", limit_s=60)


def await_rows(compose: Compose, *endpoints: str) -> None:
    """Asked there, `mq raft status` shows the three nodes once each, with their outside addresses."""
    expected = [(str(number), client) for number, client in enumerate(compose.outside, 1)]
    for endpoint in endpoints:

        def is_shown(endpoint: str = endpoint) -> bool:
            ran = run_mq("raft", "status", "--endpoint", endpoint)
            return [(row.split()[0], row.split()[-1]) for row in ran.out.splitlines()[1:]] == expected

        wait_until(is_shown, f"three rows by {endpoint}", limit_s=60)


def asked_inside(compose: Compose, *command: str) -> bytes:
    """What a command of `mq` prints in a container of the group's network."""
    found = engine().containers.run(compose.image, list(command), network=f"{compose.project}_mq", remove=True)
    assert isinstance(found, bytes)
    return found


def test_the_leaders_container_is_killed_in_mid_stream_and_nothing_acknowledged_is_lost(
    compose: Compose, official: Official
) -> None:
    create(compose, "stream")
    official.push("anna", topic="stream", group="readers")
    official.producer("paul", topic="stream")
    official.keep_sending("paul", topic="stream", callers=["a", "b", "c", "d"])
    wait_until(lambda: official.acknowledged("paul") >= ENOUGH, "messages flow", limit_s=60)
    leader = compose.leader()
    compose.container(leader).kill("SIGKILL")
    before = official.acknowledged("paul")
    wait_until(lambda: official.acknowledged("paul") >= before + ENOUGH, "messages flow without the leader", limit_s=60)
    notes = official.stop_sending("paul")
    acknowledged = {body for _, _, body, error in notes if not error}
    failed = [error for _, _, _, error in notes if error]
    assert compose.leader() != leader
    wait_until(lambda: acknowledged <= {body for _, body, _ in official.seen("anna")}, "all are received", limit_s=60)
    ends = sorted(ended for _, ended, _, error in notes if not error)
    gap_s = max(later - earlier for earlier, later in pairwise(ends))
    print(f"{leader} killed: {len(acknowledged)} acknowledged, longest gap {gap_s:.2f} s")
    official.shut_down("anna")
    compose.container(leader).start()
    wait_until(compose.is_whole, "the killed one is back", limit_s=60)
    assert not failed, f"{len(failed)} of {len(notes)} sends failed, the first with {failed[:3]}"


def test_containers_that_are_removed_and_made_again_find_everything_on_their_volumes(
    compose: Compose, official: Official
) -> None:
    create(compose, "kept")
    official.producer("paul", topic="kept")
    official.send_all_at_once("paul", topic="kept", bodies=[f"{number}" for number in range(100)])
    official.shut_down("paul")
    earlier = {name: compose.container(name).id for name in compose.names}
    compose.run("down")
    compose.up()
    assert all(compose.container(name).id != earlier[name] for name in compose.names), "these are the same containers"
    check_stored_everywhere(compose, "kept", map(str, range(100)))
    described = run_mq("topic", "describe", "kept", "--endpoint", compose.outside[2])
    assert described.code == 0, described
