"""Case 17 with the official client: the leader stores a message, and dies with the answer."""

import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from mq.rpc.admin_client import AdminClient
from mq.rpc.calling import Connection
from tests.cluster.group import Group, without_accident
from tests.interop.driving import Official, RefusedByClientError

pytestmark = pytest.mark.timeout(300)

_TRIES_MAX = 5
"""Until the client does not give up; it does so once in twenty times, on a busy machine."""


class Answer(NamedTuple):
    """What a node had to say to a send. request_id: of the client, anew for each of its attempts."""

    request_id: str
    message_id: str
    offset: int


@pytest.fixture(scope="module")
def running_group(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Group]:
    """Nodes that note their answers to sends, and keep one to themselves on demand."""
    command = (sys.executable, "-m", "tests.cluster.unanswering_broker")
    with without_accident(tmp_path_factory.mktemp("group") / "cluster", command=command) as made:
        yield made


def answers(group: Group, node: str, message_id: str) -> list[Answer]:
    """All that a node had to say to sends of one message."""
    file = group.folder / "data" / f"{node}.sends"
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    found = [Answer(request, message, int(offset)) for request, message, offset in map(str.split, lines)]
    return [one for one in found if one.message_id == message_id]


def send_to_one_who_dies(group: Group, official: Official, topic: str, body: str, *, is_by_client: bool) -> tuple[str, Any]:
    """The leader that stores the message and dies with the answer; the client's receipt, or None when it gave up.

    is_by_client: the client's own connection is the leader's, else that of a node that passes the message on.
    """
    official.send("anna", topic=topic, body=f"before {body}")  # it is connected again, whatever was before
    used = group.node_of(official.pid)
    leader = used if is_by_client else group.others(used)[0]
    group.hand_over(leader)
    assert group.node_of(official.pid) == used
    switch = group.folder / "data" / f"{leader}.dies"
    switch.touch()
    try:
        receipt = official.send("anna", topic=topic, body=body)
    except RefusedByClientError as error:
        # Its three attempts follow each other at once: all of them may go into the connection that is just breaking.
        if "UNAVAILABLE" not in str(error):
            raise
        receipt = None
    assert (switch.exists(), group.state_of(leader)) == (False, "stopped"), "the leader died by its own hand"
    return leader, receipt


@pytest.mark.parametrize("is_by_client", [True, False], ids=["by the client", "by the node between"])
def test_case_17_what_is_sent_again_since_its_answer_died_with_the_leader_stands_once(
    group: Group, official: Official, *, is_by_client: bool
) -> None:
    """The client sends again when its own connection broke; else the node does that had passed the message on."""
    topic, sent, receipt = f"topic-{is_by_client}", list[str](), None
    with Connection(",".join(group.clients.values())) as connection:
        AdminClient(connection).create_topic(topic, queues=1)
    official.producer("anna", topic=topic)
    while receipt is None and len(sent) < _TRIES_MAX:
        body = f"bread {len(sent)}"
        sent.append(body)
        leader, receipt = send_to_one_who_dies(group, official, topic, body, is_by_client=is_by_client)
        group.mend()
    assert receipt is not None, f"the client gave up {_TRIES_MAX} times"
    (lost,) = answers(group, leader, receipt["message_id"])
    again = [one for node in group.others(leader) for one in answers(group, node, receipt["message_id"])]
    assert again != [], "somebody sent again"
    assert (lost.request_id in {one.request_id for one in again}) != is_by_client
    assert {one.offset for one in again} == {lost.offset} == {receipt["offset"]}
    stored = [one.body.decode() for one in group.stored(topic, queues=1)]
    assert stored == [body for one in sent for body in (f"before {one}", one)]
