"""The world of a Raft group with the broker's commit log below each node, byte by byte on a simulated disk."""

from collections import Counter
from pathlib import Path
from random import Random

import pytest

from mq.core.entry import Entry, EntryKind, HardState
from mq.core.errors import StateError
from mq.core.ids import LogIndex, Term
from mq.sim.__main__ import main
from mq.sim.group.options import draw_options
from mq.sim.group.seeds import code_mark, run_seed
from mq.sim.group.store_storage import StoreStorage, StoreStorages
from mq.sim.group.watch import ViolationError
from mq.sim.group.world import GroupWorld

SEEDS, STEPS = range(1, 21), 1500
LAB = Path(__file__).resolve().parents[2] / "labs" / "stage3_raft" / "wrong"


def test_seeds_are_clean_with_the_real_log_and_meet_what_a_log_has_to_bear() -> None:
    met: Counter[str] = Counter()
    for seed in SEEDS:
        result = run_seed(seed, STEPS, log="store")
        assert result.promise == "", result.story
        met.update(result.met)
    print(dict(met))
    for what in ("elections", "crashes", "cuts", "snapshots taken", "snapshots installed", "changes of members", "transfers"):
        assert met[what] > 0, what
    assert met["crashes"] > 50
    assert met["events"] > len(SEEDS) * STEPS


@pytest.mark.night
@pytest.mark.parametrize("first", range(1001, 3001, 100))
def test_many_more_seeds_are_clean_with_the_real_log(first: int) -> None:
    for seed in range(first, first + 100):
        result = run_seed(seed, 3000, log="store")
        assert result.promise == "", result.story


def test_a_run_with_the_real_log_is_the_same_each_time() -> None:
    losses = 0
    for seed in SEEDS[:6]:
        traces = {run_once(seed).trace.to_text() for _ in range(2)}
        assert len(traces) == 1
        losses += traces.pop().count(" power-loss ")
    assert losses > 0


def run_once(seed: int) -> GroupWorld:
    world = GroupWorld(seed, draw_options(seed, steps=STEPS), make_storage=StoreStorages(seed))
    world.run()
    return world


def test_a_run_leaves_segments_and_snapshots_on_the_disks() -> None:
    names: set[str] = set()
    for seed in SEEDS[:6]:
        storages = [host.storage for host in run_once(seed).hosts.values()]
        assert all(isinstance(storage, StoreStorage) for storage in storages)
        names |= {name for storage in storages if isinstance(storage, StoreStorage) for name in storage.disk.files()}
    assert {name.split("/")[0] for name in names} == {"log", "snapshots"}


@pytest.mark.parametrize("name", ["ack_before_fsync", "term_not_saved"])
def test_a_wrong_raft_dies_with_the_real_log_too(name: str) -> None:
    broken = [result.promise for seed in SEEDS if (result := run_seed(seed, STEPS, f"{LAB / name}.py:Raft", log="store")).promise]
    assert broken
    print(name, Counter(broken))


# ---------------------------------------------------------------- the storage itself


def stored(count: int, synced: int) -> StoreStorage:
    """Appends of one entry each; the first few are durable."""
    storage = StoreStorage(Random(1))
    log = storage.open().log
    for index in range(1, count + 1):
        entry = Entry(LogIndex(index), Term(1), EntryKind.COMMAND, bytes(100))
        appended = log.append(LogIndex(index - 1), [entry], HardState(Term(1), None) if index == 1 else None)
        if index == synced:
            storage.sync(appended.sequence)
            log.synced(appended.sequence)
    return storage


@pytest.mark.parametrize("is_power_lost", [True, False])
@pytest.mark.parametrize("kept", [0, 1, 3])
def test_a_crash_keeps_what_was_synced_and_so_many_more(kept: int, is_power_lost: bool) -> None:
    storage = stored(7, 4)
    assert storage.unsynced == 3
    more = storage.crash(kept, is_power_lost=is_power_lost)
    assert kept <= more <= min(3, kept + (1 if is_power_lost else 0))
    assert storage.open().log.last_index == 4 + more == storage.durable.last_index


def test_a_power_loss_sometimes_leaves_one_append_more_than_was_finished() -> None:
    kept: Counter[int] = Counter()
    for seed in range(40):
        storage = stored(7, 4)
        storage._rng = Random(seed)
        kept[storage.crash(1, is_power_lost=True)] += 1
    assert set(kept) == {1, 2}


def test_what_is_on_the_disk_and_was_never_written_is_told() -> None:
    storage = stored(4, 4)
    storage.durable.entries.pop()
    with pytest.raises(StateError, match="the log that was recovered is another one: it ends with entry 4 and not with 3"):
        storage.open()
    storage.durable.hard_state = HardState(Term(9), None)
    with pytest.raises(StateError, match=r"it tells of .* and not of"):
        stored_with(storage).open()


def stored_with(storage: StoreStorage) -> StoreStorage:
    storage.durable.entries.append(Entry(LogIndex(4), Term(1), EntryKind.COMMAND, bytes(100)))
    return storage


def test_damage_is_found_when_the_node_starts_again() -> None:
    storage = stored(6, 6)
    storage.crash(0, is_power_lost=True)
    storage.damage()
    assert storage.is_damaged
    opened = storage.open()
    assert opened.log.is_damaged
    assert opened.later_configurations == ()


def test_the_command_runs_seeds_with_the_real_log_and_says_how_to_repeat_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    notes = tmp_path / "notes.txt"
    assert main(["--seeds", "1..2", "--steps", "400", "--log", "store", "--resume", str(notes)]) == 0
    heading = f"# raft group, 400 steps, log store, code {code_mark(log='store')}"
    assert notes.read_text(encoding="utf-8").startswith(f"{heading}\n1 ok ")
    assert "2 seeds: 0 broken" in capsys.readouterr().out
    assert main(["--seeds", "1..2", "--steps", "400", "--resume", str(notes)]) == 2, "those are other runs"
    with pytest.raises(SystemExit):
        main(["--profile", "broker", "--seed", "1", "--log", "store"])
    wrong = f"{LAB / 'ack_before_fsync.py'}:Raft"
    first = next(seed for seed in SEEDS if run_seed(seed, STEPS, wrong, log="store").promise)
    assert main(["--seed", str(first), "--steps", str(STEPS), "--log", "store", "--raft", wrong]) == 1
    assert "--log store" in capsys.readouterr().err


def test_the_world_says_when_a_log_is_not_what_was_written() -> None:
    class Forgetful(StoreStorage):
        """A disk that loses the newest file."""

        __slots__ = ()

        def crash(self, kept: int, *, is_power_lost: bool) -> int:
            found = super().crash(kept, is_power_lost=is_power_lost)
            newest = max((file for file in self.disk.files() if file.startswith("log/")), default="log/none")
            self.disk.names.pop(newest, None)
            return found

    with pytest.raises(ViolationError, match="a node and its log keep their own rules"):
        GroupWorld(3, draw_options(3, steps=STEPS), make_storage=lambda: Forgetful(Random(1))).run()
