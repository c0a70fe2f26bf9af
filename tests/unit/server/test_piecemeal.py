"""Long work of the disk in pieces: what goes between, what ends it, and what is dropped."""

import asyncio
from collections.abc import Callable
from typing import cast

from mq.core.errors import DiskFullError, MqError
from mq.core.ports import Operation, Plan, Remove, Replace, Sync, Write
from mq.server.lane import StorageLane
from mq.server.piecemeal import ForgottenError, Piecemeal


class HandLane:
    """Carries out one plan at a time, when it is told to. done: file names."""

    def __init__(self) -> None:
        self.jobs: list[tuple[Plan, Callable[[MqError | None], None]]] = []
        self.done: list[str] = []

    def submit(self, plan: Plan, done: Callable[[MqError | None], None] = lambda _: None) -> None:
        self.jobs.append((plan, done))

    def step(self, error: MqError | None = None) -> None:
        plan, done = self.jobs.pop(0)
        if error is None:
            self.done += [operation.file for operation in plan]
        done(error)


def setting() -> tuple[HandLane, Piecemeal]:
    lane = HandLane()
    return lane, Piecemeal(cast(StorageLane, lane))


def flush(name: str, files: int) -> tuple[Operation, ...]:
    return tuple(
        operation for number in range(files) for operation in (Write(f"{name}{number}", 0, b"x"), Sync(f"{name}{number}"))
    )


async def test_what_the_lane_is_given_meanwhile_goes_between_the_pieces_of_long_work() -> None:
    lane, works = setting()
    ended: list[MqError | None] = []
    works.add((*flush("queue", 20), Replace("snapshot", b"")), ended.append)
    synced_before = []
    while lane.jobs:
        lane.submit((Sync("log"),))  # a caller waits for it, behind what is under way
        lane.step()
        synced_before.append(len({file for file in lane.done if file.startswith("queue")}))
        lane.step()
    assert synced_before == [8, 16, 20], "files, of 20"
    assert [file for file in lane.done if file != "log"] == [operation.file for operation in flush("queue", 20)] + ["snapshot"]
    assert ended == [None]


async def test_what_is_short_goes_to_the_lane_at_once_and_in_one() -> None:
    lane, works = setting()
    works.add((*flush("queue", 3), Replace("snapshot", b"")), lambda _: None)
    assert len(lane.jobs) == 1


async def test_an_error_ends_its_work_alone() -> None:
    lane, works = setting()
    ended: list[tuple[str, MqError | None]] = []
    works.add((*flush("a", 10), Replace("snapshot a", b"")), lambda error: ended.append(("a", error)))
    works.add((*flush("b", 2), Replace("snapshot b", b"")), lambda error: ended.append(("b", error)))
    full = DiskFullError("no room")
    lane.step()
    lane.step(full)
    assert ended == [("a", full)]
    lane.step()
    assert ended == [("a", full), ("b", None)]
    assert lane.jobs == []
    assert "snapshot a" not in lane.done
    assert lane.done[-1] == "snapshot b"


async def test_forgotten_work_goes_no_further_and_what_comes_after_it_follows_what_is_under_way() -> None:
    lane, works = setting()
    ended: list[tuple[str, object]] = []
    works.add(flush("a", 20), lambda error: ended.append(("a", type(error))))
    works.add(flush("b", 1), lambda error: ended.append(("b", type(error))))
    assert works.files == {"b0", *(f"a{number}" for number in range(20))}
    works.forget()
    assert ended == [("a", ForgottenError), ("b", ForgottenError)]
    assert works.files == {f"a{number}" for number in range(8)}, "of what is under way"
    works.add((Remove("c"),), lambda error: ended.append(("c", error)))
    assert len(lane.jobs) == 1
    lane.step(DiskFullError("no room"))
    lane.step()
    assert ended[2:] == [("c", None)]
    assert (lane.done, works.files) == (["c"], set())


async def test_all_that_was_added_so_far_can_be_waited_for() -> None:
    lane, works = setting()
    await works.wait()
    works.add(flush("a", 10), lambda _: None)
    waits = [asyncio.create_task(works.wait()) for _ in range(2)]
    await asyncio.sleep(0)
    waits.pop().cancel()
    lane.step()
    await asyncio.sleep(0)
    assert not waits[0].done()
    lane.step()
    await waits[0]
