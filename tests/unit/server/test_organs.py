"""Guards around replaced organs: what they let through, what ends the node, and what they count."""

import asyncio
import errno
import json
import os
import random
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mq.broker.store.commit_log import CommitLog
from mq.core.entry import Appended, Entry, EntryKind, HardState
from mq.core.ids import LogIndex, Term
from mq.core.ports import drive, perform
from mq.parts import REFERENCE, Parts
from mq.raft.configuration import Configuration
from mq.raft.node import RaftNode
from mq.raft.options import RaftOptions
from mq.raft.output import Output
from mq.server.organs import OrganError, Organs, Watchdog, organs_of
from mq.sim.disk import SimDisk

LIMIT_S = 20.0


class OwnRaft(RaftNode):
    """Somebody's own, and right."""

    __slots__ = ()


class OwnLog(CommitLog):
    """Somebody's own, and right."""


def lone_node(raft_class: type[RaftNode]) -> RaftNode:
    log = CommitLog(segment_bytes=64 << 10)
    return raft_class(1, log, random.Random(1), options=RaftOptions(), configuration=Configuration.of(1))


def entries(first: int, count: int) -> list[Entry]:
    return [Entry(LogIndex(first + i), Term(1), EntryKind.COMMAND, b"x") for i in range(count)]


def test_the_reference_stands_by_itself() -> None:
    organs = Organs(REFERENCE)
    assert (organs.raft, organs.commit_log) == (RaftNode, CommitLog)
    assert organs_of(REFERENCE) == ""


def test_a_right_organ_works_as_ever_and_its_calls_are_counted() -> None:
    organs = Organs(Parts(raft=OwnRaft))
    node = lone_node(organs.raft)
    output = node.campaign()
    node.saved(output.saves[-1].sequence)
    assert node.view().leader == 1
    assert organs.calls["raft.campaign"] == organs.calls["raft.saved"] == 1
    assert organs.raft.__qualname__ == "OwnRaft"
    organs.stop()


@pytest.mark.parametrize(
    ("found", "complaint"),
    [
        ("yes", r"raft: `tick` returned str, expected Output"),
        (Output(saves=("one",)), r"`saves` is \('one',\), expected a tuple of Appended"),  # type: ignore[arg-type]
        (Output(send=["x"]), r"`send` is \['x'\], expected a tuple of Message"),  # type: ignore[arg-type]
        (Output(apply_to="3"), r"`apply_to` is '3', expected a log index"),  # type: ignore[arg-type]
        (Output(apply_to=LogIndex(9)), r"wants entry 9 to be applied, and only those up to 0 are durable here"),
    ],
)
def test_what_a_raft_must_not_return(found: Any, complaint: str) -> None:
    class Wrong(RaftNode):
        __slots__ = ()

        def tick(self) -> Any:
            return found

    organs = Organs(Parts(raft=Wrong))
    with pytest.raises(OrganError, match=complaint):
        lone_node(organs.raft).tick()
    organs.stop()


def test_an_exception_of_an_organ_names_it() -> None:
    class Wrong(RaftNode):
        __slots__ = ()

        def tick(self) -> Output:
            raise ZeroDivisionError("division by zero")

    organs = Organs(Parts(raft=Wrong))
    with pytest.raises(OrganError, match="raft: `tick` raised ZeroDivisionError: division by zero"):
        lone_node(organs.raft).tick()
    organs.stop()


@pytest.mark.parametrize(
    ("raised", "complaint"),
    [
        (SystemExit(None), "raised SystemExit: None"),
        (SystemExit(), "raised SystemExit"),
        (KeyboardInterrupt(), "raised KeyboardInterrupt"),
        (asyncio.CancelledError(), "raised CancelledError"),
    ],
)
def test_an_organ_that_wants_to_end_the_process_is_told_like_any_other(raised: BaseException, complaint: str) -> None:
    class Wrong(RaftNode):
        __slots__ = ()

        def tick(self) -> Output:
            raise raised

    organs = Organs(Parts(raft=Wrong))
    heard: list[OrganError] = []
    organs.on_mistake = heard.append
    with pytest.raises(OrganError, match=rf"raft: `tick` {complaint} \(.*test_organs.py, line \d+, in tick\)$") as told:
        lone_node(organs.raft).tick()
    assert heard == [told.value]
    organs.stop()


def test_an_organ_that_exits_while_its_log_is_read_is_told_also_when_nobody_reads_on() -> None:
    class Wrong(CommitLog):
        def entries(self, first: LogIndex, last: LogIndex, bytes_max: int) -> Any:
            yield from super().entries(first, last, bytes_max)
            sys.exit("no more")

    organs = Organs(Parts(commit_log=Wrong))
    heard: list[OrganError] = []
    organs.on_mistake = heard.append
    log = organs.commit_log(segment_bytes=64 << 10)
    disk = SimDisk()
    perform(disk, log.append(LogIndex(0), entries(1, 1), HardState(Term(1), None)).plan)
    with pytest.raises(OrganError, match="commit_log: `entries` raised SystemExit: no more"):
        drive(log.entries(LogIndex(1), LogIndex(1), 1 << 20), disk)
    assert len(heard) == 1
    organs.stop()


def test_a_log_that_loses_entries_is_found_out_at_once() -> None:
    class Losing(CommitLog):
        def append(self, after_index: LogIndex, entries: Any, hard_state: HardState | None = None) -> Appended:
            return super().append(after_index, entries[:-1], hard_state)

    organs = Organs(Parts(commit_log=Losing))
    with pytest.raises(OrganError, match="commit_log: `append` was given entries up to 2, and the log ends at 1: they are lost"):
        organs.commit_log(segment_bytes=64 << 10).append(LogIndex(0), entries(1, 2), HardState(Term(1), None))
    organs.stop()


@pytest.mark.parametrize(
    ("found", "complaint"),
    [
        (None, "commit_log: `append` returned NoneType, expected Appended"),
        (Appended((), (), 1), "was given 2 entries, and says the places of 0"),
        (Appended(("write",), (), 1), r"returned the plan \('write',\), expected a tuple of Create, Write"),  # type: ignore[arg-type]
    ],
)
def test_what_a_log_must_not_return(found: Any, complaint: str) -> None:
    class Wrong(CommitLog):
        def append(self, after_index: LogIndex, entries: Any, hard_state: HardState | None = None) -> Any:
            super().append(after_index, entries, hard_state)
            return found

    organs = Organs(Parts(commit_log=Wrong))
    with pytest.raises(OrganError, match=complaint):
        organs.commit_log(segment_bytes=64 << 10).append(LogIndex(0), entries(1, 2), HardState(Term(1), None))
    organs.stop()


def test_a_log_that_is_right_is_read_as_ever() -> None:
    organs = Organs(Parts(commit_log=OwnLog))
    log = organs.commit_log(segment_bytes=64 << 10)
    appended = log.append(LogIndex(0), entries(1, 2), HardState(Term(1), None))
    log.synced(appended.sequence)
    assert (log.last_index, log.durable_index) == (2, 2)
    assert organs.calls == {"commit_log.append": 1, "commit_log.synced": 1}
    organs.stop()


def test_a_call_that_does_not_come_back_ends_the_process_and_says_where_it_was(capfd: pytest.CaptureFixture[str]) -> None:
    ended, may_go_on = threading.Event(), threading.Event()
    status: list[int] = []

    def end(number: int) -> None:
        status.append(number)
        ended.set()

    watchdog = Watchdog(0.05, end=end)

    def hangs() -> None:
        outer = watchdog.begin("raft", "raft: `step`")
        watchdog.finish(watchdog.begin("raft", "raft: `view`"))
        may_go_on.wait(LIMIT_S)
        watchdog.finish(outer)

    thread = threading.Thread(target=hangs)
    thread.start()
    assert ended.wait(LIMIT_S)
    may_go_on.set()
    thread.join()
    sys.stderr.flush()
    told = capfd.readouterr().err
    assert "raft: `step` did not come back within 0.05 s: this node stops" in told
    assert "in hangs" in told
    assert status == [3]


def test_a_call_that_goes_on_calling_others_is_found_out_by_its_own_time(capfd: pytest.CaptureFixture[str]) -> None:
    ended = threading.Event()
    watchdog = Watchdog(0.25, end=lambda _number: ended.set())

    def calls_for_ever() -> None:
        outer = watchdog.begin("raft", "raft: `step`")
        while not ended.is_set():
            watchdog.finish(watchdog.begin("commit_log", "commit_log: `term_at`"))
        watchdog.finish(outer)

    thread = threading.Thread(target=calls_for_ever)
    thread.start()
    assert ended.wait(LIMIT_S)
    thread.join()
    assert "raft: `step` did not come back within 0.25 s" in capfd.readouterr().err


def test_calls_of_two_threads_do_not_hide_each_other(capfd: pytest.CaptureFixture[str]) -> None:
    ended, has_begun = threading.Event(), threading.Event()
    watchdog = Watchdog(0.25, end=lambda _number: ended.set())

    def hangs() -> None:
        outer = watchdog.begin("commit_log", "commit_log: `entries`")
        has_begun.set()
        ended.wait(LIMIT_S)
        watchdog.finish(outer)

    thread = threading.Thread(target=hangs)
    thread.start()
    assert has_begun.wait(LIMIT_S)
    watchdog.finish(watchdog.begin("raft", "raft: `tick`"))
    assert ended.wait(LIMIT_S)
    thread.join()
    assert "commit_log: `entries` did not come back within 0.25 s" in capfd.readouterr().err


def test_a_call_that_may_take_longer_is_let_be_longer() -> None:
    ended = threading.Event()
    watchdog = Watchdog(0.01, end=lambda _number: ended.set())
    outer = watchdog.begin("commit_log", "commit_log: `recover`", LIMIT_S)
    assert not ended.wait(0.5)
    watchdog.finish(outer)
    watchdog.begin("commit_log", "commit_log: `synced`")
    assert ended.wait(LIMIT_S)


def test_calls_that_come_back_in_time_are_let_be() -> None:
    ended = threading.Event()
    watchdog = Watchdog(LIMIT_S, end=lambda _number: ended.set())
    for _ in range(1000):
        watchdog.finish(watchdog.begin("raft", "raft: `tick`"))
    watchdog.stop()
    watchdog._thread.join(LIMIT_S)
    assert not ended.is_set()
    assert not watchdog._thread.is_alive()


def test_a_data_folder_remembers_whose_organs_wrote_there(tmp_path: Path) -> None:
    assert Organs(REFERENCE).stamp(tmp_path) == ""
    assert Organs(REFERENCE).stamp(tmp_path) == ""
    own = Organs(Parts(raft=OwnRaft))
    told = own.stamp(tmp_path)
    assert "raft: mq.raft.node.RaftNode before" in told
    assert "OwnRaft now" in told
    assert own.stamp(tmp_path) == ""
    own.stop()


def test_other_organs_are_told_before_anything_is_opened_and_nothing_is_noted_by_that(tmp_path: Path) -> None:
    own = Organs(Parts(raft=OwnRaft))
    assert own.changed(tmp_path) == ""
    assert not list(tmp_path.iterdir())
    Organs(REFERENCE).stamp(tmp_path)
    assert "raft: mq.raft.node.RaftNode before" in own.changed(tmp_path)
    assert json.loads((tmp_path / "organs.json").read_bytes()) == REFERENCE.names()
    own.stop()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [("", "it is no JSON"), ("[1]", "it is no table"), ('{"raft": 3}', "it is no table"), ("\udcff", "it is no JSON")],
    ids=["empty", "a list", "a number", "no text"],
)
def test_a_broken_note_of_organs_is_told_with_its_path_and_written_anew(tmp_path: Path, text: str, complaint: str) -> None:
    file = tmp_path / "organs.json"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    told = Organs(REFERENCE).stamp(tmp_path)
    assert f"{file} cannot be read ({complaint}" in told
    assert "is not known" in told
    assert json.loads(file.read_bytes()) == REFERENCE.names()
    assert Organs(REFERENCE).stamp(tmp_path) == ""


def test_the_note_of_organs_is_replaced_as_a_whole_and_not_touched_when_it_is_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    sync = os.fsync

    def note(number: int) -> None:
        synced.append(os.fstat(number).st_ino)
        sync(number)

    monkeypatch.setattr(os, "fsync", note)
    Organs(REFERENCE).stamp(tmp_path)
    file = tmp_path / "organs.json"
    assert synced[0] == file.stat().st_ino  # the file that took its name was synced before
    assert [path.name for path in tmp_path.iterdir()] == ["organs.json"]
    Organs(REFERENCE).stamp(tmp_path)
    assert synced[0] == file.stat().st_ino
    assert len(synced) <= 2


def test_a_note_of_organs_that_cannot_be_written_leaves_the_old_one_and_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Organs(REFERENCE).stamp(tmp_path)

    def refuse(_number: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    own = Organs(Parts(raft=OwnRaft))
    told = own.stamp(tmp_path)
    own.stop()
    assert f"{tmp_path / 'organs.json'} cannot be written (No space left on device)" in told
    assert "OwnRaft now" in told
    assert [path.name for path in tmp_path.iterdir()] == ["organs.json"]
    assert json.loads((tmp_path / "organs.json").read_bytes()) == REFERENCE.names()


def test_a_replaced_organ_shows_its_own_calls_and_not_those_of_the_reference() -> None:
    own = Organs(Parts(raft=OwnRaft))
    lone_node(own.raft).tick()
    assert own.shown(1000, 7, 5, 3) == [
        ("raft", f"{OwnRaft.__module__}.OwnRaft", 1),
        ("commit_log", "mq.broker.store.commit_log.CommitLog", 7),
        ("consume_queue", "mq.broker.store.consume_queue.ConsumeQueue", 3),
        ("delivery_table", "mq.broker.delivery.table.DeliveryTable", 5),
    ]
    assert Organs(REFERENCE).shown(1000, 7, 5, 3)[0] == ("raft", "mq.raft.node.RaftNode", 1000)
    own.stop()


def test_it_is_said_which_organs_are_not_the_reference() -> None:
    assert organs_of(Parts(raft=OwnRaft)).endswith("test_organs.OwnRaft")
    assert SimpleNamespace(**Parts().names()).raft == "mq.raft.node.RaftNode"
