"""Reading by offset, the calls that no official client makes."""

import time
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from mq.proto import rocketmq_v2_pb2 as pb
from mq.rpc.methods import server_stream
from tests.interop.place import Place
from tests.interop.raw import OK, RawClient, in_background, span


class Puller(RawClient):
    """A raw client of one queue."""

    @property
    def queue(self) -> pb.MessageQueue:
        return pb.MessageQueue(topic=pb.Resource(name=self.topic), id=0)

    def pull(
        self, offset: int, *, count: int = 32, wait_s: float | None = None, queue_id: int = 0
    ) -> tuple[int, list[bytes], Any]:
        """(code, bodies, next offset or None)."""
        request = pb.PullMessageRequest(
            group=pb.Resource(name=self.group), message_queue=self.queue, offset=offset, batch_size=count,
            filter_expression=self.filter, long_polling_timeout=span(wait_s),
        )  # fmt: skip
        request.message_queue.id = queue_id
        code, bodies, after = 0, [], None
        for response in server_stream(self._channel, "PullMessage")(request, timeout=20, metadata=self.metadata):
            match response.WhichOneof("content"):
                case "status":
                    code = response.status.code
                case "message":
                    bodies.append(response.message.body)
                case "next_offset":
                    after = response.next_offset
        return code, bodies, after

    def end_of(self, policy: "pb.QueryOffsetPolicy.ValueType", at_s: float | None = None) -> tuple[int, int]:
        request = pb.QueryOffsetRequest(message_queue=self.queue, query_offset_policy=policy)
        if at_s is not None:
            request.timestamp.CopyFrom(Timestamp(seconds=int(at_s), nanos=int(at_s % 1 * 1e9)))
        response = self.call("QueryOffset", request)
        return response.status.code, response.offset

    def offset(self) -> tuple[int, int]:
        response = self.call("GetOffset", pb.GetOffsetRequest(group=pb.Resource(name=self.group), message_queue=self.queue))
        return response.status.code, response.offset

    def set_offset(self, offset: int) -> int:
        request = pb.UpdateOffsetRequest(group=pb.Resource(name=self.group), message_queue=self.queue, offset=offset)
        return int(self.call("UpdateOffset", request).status.code)


def puller_of(place: Place, expression: str = "*") -> Puller:
    puller = Puller(place.endpoint, place.new_topic(queues=1), place.new_group(), expression=expression)
    place.keep(puller)
    return puller


def test_pulling_by_offset_hides_nothing(place: Place) -> None:
    puller = puller_of(place)
    puller.send_all([puller.message(b"%d" % number) for number in range(5)])
    assert puller.pull(0, count=2) == (OK, [b"0", b"1"], 2)
    assert puller.pull(2) == (OK, [b"2", b"3", b"4"], 5)
    assert puller.pull(0) == (OK, [b"0", b"1", b"2", b"3", b"4"], 5)
    assert puller.pull(5) == (40401, [], 5)
    for offset in (-1, 6):
        assert puller.pull(offset) == (40019, [], None)
    assert puller.pull(0, queue_id=1) == (40019, [], None)
    assert len(puller.take(5)) == 5


def test_a_pull_waits_for_the_next_message(place: Place) -> None:
    puller = puller_of(place)
    with in_background(lambda: puller.pull(0, wait_s=15)) as pulled:
        began_s = time.monotonic()
        puller.send(b"first")
    assert pulled == [(OK, [b"first"], 1)]
    assert time.monotonic() - began_s < 5
    assert puller.pull(1, wait_s=0.2) == (40401, [], 1)


def test_a_pull_leaves_out_other_tags_and_goes_on_behind_them(place: Place) -> None:
    puller = puller_of(place, "b")
    for tag in ("a", "b", "a"):
        puller.send(tag.encode(), tag=tag)
    assert puller.pull(0) == (OK, [b"b"], 3)


def test_the_ends_of_a_queue_and_the_first_message_since_a_time(place: Place) -> None:
    puller = puller_of(place)
    assert (puller.end_of(pb.BEGINNING), puller.end_of(pb.END)) == ((OK, 0), (OK, 0))
    puller.send()
    between_s = time.time() + 0.002
    while time.time() <= between_s + 0.002:
        assert puller.end_of(pb.END) == (OK, 1)
    puller.send()
    assert (puller.end_of(pb.BEGINNING), puller.end_of(pb.END)) == ((OK, 0), (OK, 2))
    assert puller.end_of(pb.TIMESTAMP, between_s) == (OK, 1)
    assert puller.end_of(pb.TIMESTAMP, between_s - 3600) == (OK, 0)
    assert puller.end_of(pb.TIMESTAMP, between_s + 3600) == (OK, 2)
    assert puller.end_of(pb.TIMESTAMP)[0] == 40000


def test_a_groups_offset_is_told_and_moved(place: Place) -> None:
    puller = puller_of(place)
    puller.send_all([puller.message(b"%d" % number) for number in range(5)])
    assert puller.offset()[0] == 40404
    messages = puller.take(5)
    assert puller.offset() == (OK, 0)
    assert puller.ack(*messages[:2]) == OK
    assert puller.offset() == (OK, 2)
    assert puller.set_offset(4) == OK
    assert (puller.offset(), [m.body for m in puller.take(1)]) == ((OK, 4), [b"4"])
    assert puller.set_offset(0) == OK
    assert [m.body for m in puller.take(5)] == [b"0", b"1", b"2", b"3", b"4"]
    for wrong in (-1, 6):
        assert puller.set_offset(wrong) == 40019
