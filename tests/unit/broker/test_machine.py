"""The state machine: dense offsets, no message twice, equal states from equal logs."""

import json
import random
from dataclasses import replace

import pytest

from mq.broker import commands as c
from mq.broker.batch import (
    AppendMessages,
    BatchPart,
    batch_slice,
    decode_batch,
    decode_ids,
    decode_tags,
    decode_to_apply,
    delivery_slice,
    encode_batch,
)
from mq.broker.delivery.flight import Delivered
from mq.broker.machine import BrokerMachine
from mq.broker.outcomes import Done, Released, Sent
from mq.broker.sent_ids import SentIds
from mq.core.entry import RecordPlace
from mq.core.errors import Code, FormatError, RefusedError, StateError
from mq.core.ids import CommitLogPosition
from tests.unit.broker.helpers import Core, offsets


@pytest.fixture
def core() -> Core:
    core = Core()
    core.topic(queues=2)
    core.group()
    return core


def test_offsets_of_a_queue_are_dense_over_batches(core: Core) -> None:
    assert core.send("a", "b").places == ((0, 0), (0, 1))
    assert core.send("c", queue_id=1).places == ((1, 0),)
    assert core.send("d", "e").places == ((0, 2), (0, 3))


def test_a_message_id_is_stored_once_and_the_repeat_learns_the_first_place(core: Core) -> None:
    core.send("a", "b")
    repeat = core.send("b", "c", "c", queue_id=1)
    assert repeat == Sent("t", ((0, 1), (1, 0), (1, 0)), 2, is_visible=True)
    assert [q.max_offset for q in core.machine.topic("t").queues] == [2, 1]
    assert core.send("a").is_visible is False


def test_the_window_of_ids_forgets_the_oldest_only() -> None:
    window = SentIds(3)
    window.add(("a", "b", "c"), 1, 10)
    window.add(("d",), 2, 0)
    assert (window.find("a"), window.find("b"), window.find("d"), len(window)) == (None, (1, 11), (2, 0), 3)
    assert SentIds.from_plain(json.loads(b"".join(window.json_parts()))).find("c") == (1, 12)


def test_a_refused_command_changes_nothing(core: Core) -> None:
    before = core.machine.to_bytes()
    refused = core.do(AppendMessages(0, 0, "nosuch", 0, 1, 0, ("a",), "", (b"x",)))
    assert isinstance(refused, RefusedError)
    assert refused.code == Code.TOPIC_NOT_FOUND
    assert "mq topic create nosuch" in str(refused)
    core.machine.applied_index -= 1
    assert core.machine.to_bytes() == before


@pytest.mark.parametrize("kind", [0, 5, 6, 99])
def test_a_topic_of_an_unknown_type_is_refused_and_not_fallen_over(core: Core, kind: int) -> None:
    refused = core.do(c.CreateTopic(0, 0, "new", kind, 1, 6))
    assert isinstance(refused, RefusedError), "whatever else it raises, each node raises, now and after each restart"
    assert refused.code == Code.MESSAGE_PROPERTY_CONFLICT_WITH_TYPE
    assert "new" not in core.machine.topics


def test_a_command_that_does_not_fit_into_a_message_between_nodes_is_refused(core: Core) -> None:
    """Its entry could never be committed, nor any behind it."""
    tags = tuple("é" * 8_000 for _ in range(1024))
    with pytest.raises(RefusedError, match=r"request: \d+ bytes in the log, at most 67108864") as refused:
        c.encode_command(AppendMessages(0, 0, "t", 0, 1, 0, tuple(map(str, range(1024))), tags, (bytes(30_000),) * 1024))
    assert refused.value.code == Code.PAYLOAD_TOO_LARGE


def test_an_entry_is_applied_once(core: Core) -> None:
    with pytest.raises(StateError):
        core.machine.apply(1, c.DeleteTopic(0, 0, "t"), RecordPlace(CommitLogPosition(0), 1))


def test_topics_only_grow_and_keep_their_type(core: Core) -> None:
    core.topic(queues=4)
    assert len(core.machine.topic("t").queues) == 4
    for command in (c.CreateTopic(0, 0, "t", 1, 3, 4), c.CreateTopic(0, 0, "t", 2, 4, 4)):
        assert isinstance(core.do(command), RefusedError)
    assert len(core.machine.topic("t").queues) == 4


def test_a_deleted_topic_takes_progress_timers_and_half_messages_with_it(core: Core) -> None:
    core.topic("d", kind=3)
    core.send("a", topic="d", kind=3, due_ms=core.now_ms + 10)
    core.send("b")
    core.receive()
    for name in ("t", "d"):
        core.do(c.DeleteTopic(0, 0, name))
    assert (core.machine.topics, core.machine.timers, core.machine.groups["g"].tables) == ({}, [], {})


def test_a_delayed_message_is_invisible_until_it_is_due(core: Core) -> None:
    core.topic("d", kind=3)
    assert not core.send("late", topic="d", kind=3, due_ms=core.now_ms + 2000).is_visible
    assert not core.send("soon", topic="d", kind=3, due_ms=core.now_ms + 1000).is_visible
    assert core.send("now", topic="d", kind=3, due_ms=core.now_ms).is_visible
    assert len(core.receive(topic="d")) == 1
    core.wait(1000)
    assert core.do(c.ReleaseTimers(core.now_ms, core.now_ms)) == Released(("d",))
    assert offsets(core.receive(topic="d")) == [1]
    core.wait(1000)
    core.do(c.ReleaseTimers(core.now_ms, core.now_ms))
    assert offsets(core.receive(topic="d")) == [2]


def test_a_half_message_is_seen_after_its_commit_only_and_ends_once(core: Core) -> None:
    core.topic("x", kind=4)
    core.send("yes", topic="x", kind=4)
    core.send("yes", topic="x", kind=4)  # retried: still one half message
    core.send("no", topic="x", kind=4)
    assert core.receive(topic="x") == ()
    assert core.do(c.EndTransaction(0, 0, "x", "no", False)) == Released(())
    assert core.do(c.EndTransaction(0, 0, "x", "yes", True)) == Released(("x",))
    assert isinstance(core.do(c.EndTransaction(0, 0, "x", "yes", True)), RefusedError)
    assert len(core.receive(topic="x")) == 1


def test_retention_moves_groups_that_lag_behind_and_counts_what_they_missed(core: Core) -> None:
    core.send("a", "b")
    core.send("c")
    core.receive(1)
    core.do(c.DropBefore(0, 0, 4, (("t", 0, 2),)))
    assert core.machine.skipped_by_retention == 1
    assert offsets(core.receive()) == [2]
    core.group("new")
    assert offsets(core.receive(group="new")) == [2]


def random_run(core: Core, rng: random.Random, steps: int) -> None:
    """Sends, receives, acks, changes and resets, as a workload would mix them."""
    held: list[Delivered] = []
    for step in range(steps):
        core.wait(rng.randrange(3000))
        match rng.randrange(6):
            case 0 | 1:
                core.send(*(f"{rng.randrange(steps)}" for _ in range(rng.randrange(1, 5))), queue_id=rng.randrange(2))
            case 2 | 3:
                held += core.receive(rng.randrange(1, 6))
            case 4 if held:
                core.ack(held.pop(rng.randrange(len(held))))
            case 5 if held:
                core.change(held.pop(rng.randrange(len(held))), rng.randrange(5000))
            case _:
                core.group(f"g{step % 3}")


@pytest.mark.parametrize("seed", range(20))
def test_equal_logs_make_equal_states_also_across_a_snapshot(seed: int) -> None:
    core, rng = Core(), random.Random(seed)
    core.topic(queues=2)
    core.group()
    random_run(core, rng, 60)
    middle = BrokerMachine.from_bytes(core.machine.to_bytes())
    cut = len(core.log)
    random_run(core, rng, 60)
    replica = BrokerMachine()
    for machine, first in ((replica, 0), (middle, cut)):
        for index in range(first, len(core.log)):
            payload = core.log[index]
            machine.apply(index + 1, c.decode_command(payload), RecordPlace(CommitLogPosition(index * 1000), len(payload)))
    assert replica.to_bytes() == core.machine.to_bytes()
    assert middle.state_hash() == core.machine.state_hash()


def test_a_batch_survives_its_bytes_and_can_be_cut() -> None:
    batch = AppendMessages(1, 2, "t", 3, 1, 4, ("a", "bcd", "é"), ("", "T", "U"), (b"x", b"", b"zzz"))
    stored = encode_batch(batch)
    assert decode_batch(stored) == batch
    assert decode_to_apply(stored) == replace(batch, messages=(), shared=None)
    assert decode_tags(stored) == ("", "T", "U")
    assert delivery_slice(stored, 2) == (b"zzz", "t", "é", 2, 1)
    assert batch_slice(stored, 1, 2) == BatchPart(b"zzz", [0, 3], 2, None, ())
    assert decode_ids(stored) == ("t", ("a", "bcd", "é"))
    with pytest.raises(FormatError):
        decode_batch(stored[:-1])


def test_a_batch_in_columns_keeps_what_its_messages_share_once() -> None:
    batch = AppendMessages(1, 2, "t", 3, 1, 0, ("a", "bcd", "é"), "T", (b"x", b"yy", b"zzz"), b"\x1a\x02\x28\x01")
    stored = encode_batch(batch)
    assert decode_batch(stored) == batch
    assert decode_to_apply(stored) == replace(batch, messages=(), shared=None)
    assert decode_tags(stored) == "T"
    assert batch_slice(stored, 1, 2) == BatchPart(b"yyzzz", [2, 3], 2, b"\x1a\x02\x28\x01", ("bcd", "é"))
    # By hand: shared | system_properties (3) {message_id (3) = "bcd"} | body (4) = "yy"
    assert delivery_slice(stored, 1).stored == b"\x1a\x02\x28\x01" + b"\x1a\x05\x1a\x03bcd" + b"\x22\x02yy"
    assert stored.count(batch.shared or b"-") == 1
    with pytest.raises(FormatError):
        decode_batch(stored[:-1])
    with pytest.raises(FormatError, match="flags 5"):
        decode_batch(stored[:3] + b"\x05" + stored[4:])


def test_unknown_commands_and_versions_are_refused_not_guessed() -> None:
    for payload in (b"", b"\xff[]", b"\x02[1]", b"\x02{", b"\x01\x09" + bytes(60), b"\x01"):
        with pytest.raises(FormatError):
            c.decode_command(payload)


def test_a_definition_made_on_first_use_never_overwrites_one_that_was_made_meanwhile() -> None:
    core = Core()
    core.topic(queues=4)
    core.group(is_fifo=True, max_attempts=3)
    assert core.do(c.CreateGroup(1, 1, "g", is_fifo=False, max_attempts=17, if_absent=True)) == Done()
    group = core.machine.group("g")
    assert (group.is_fifo, group.max_attempts) == (True, 3)
    assert core.do(c.CreateTopic(1, 1, "t", 2, 8, 4, if_absent=True)) == Done(4)
    assert (core.machine.topic("t").kind, len(core.machine.topic("t").queues)) == (1, 4)
