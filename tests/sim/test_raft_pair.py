"""The commit log is the Raft log: `RaftNode` and `CommitLog` together keep every promise, whenever a node crashes."""

import pytest

from mq.core.errors import MqError
from tests.sim.raft_pair import Group, Member
from tests.sim.raft_pair_judge import CrashJudge, check_equal
from tests.sim.raft_pair_run import write_run
from tests.sim.raft_pair_wrong import HOSTS, LOGS, RAFTS, with_log, with_raft

WRONG = [*HOSTS, *(with_log(log) for log in LOGS), *(with_raft(name) for name in RAFTS)]


def test_the_run_by_hand_meets_all_that_a_log_can_be_asked_for_and_ends_with_one_log_on_all() -> None:
    group = Group()
    write_run(group)
    check_equal(group)
    print(group.steps, "steps", group.counts)
    assert group.steps >= 100
    assert not [what for what, count in group.counts.items() if not count]
    assert group.counts["resets"] == 2
    assert group.counts["segments forgotten"] >= 10
    assert len(group.members[3].log.segments()) >= 3
    assert group.leader() == 2
    assert not group.members[2].node.configuration.is_joint


@pytest.mark.parametrize(
    ("every_byte", "states_min"), [(False, 600), pytest.param(True, 4000, marks=pytest.mark.slow)], ids=["sectors", "bytes"]
)
def test_a_node_that_crashes_at_any_moment_of_a_run_keeps_its_promises_and_the_group_goes_on(
    every_byte: bool, states_min: int
) -> None:
    judge = CrashJudge(subsets_max=64, every_byte=every_byte, blackouts=int(every_byte), lives_max=4 if every_byte else 1)
    group = Group(judge=judge)
    write_run(group)
    print(dict(judge.counts), judge.states, "states,", judge.sampled, "moments sampled")
    assert judge.states >= states_min
    assert judge.sampled == 0
    assert judge.counts["kills"] > 400
    assert judge.counts["lives"] > 400
    assert judge.counts["blackouts"] == (group.steps if every_byte else 0)
    assert judge.counts["begun anew behind a snapshot"] >= 5
    assert judge.counts["torn"] > 300
    assert judge.counts["with less"] > 300
    assert judge.counts["with all that waited"] > 200
    assert judge.counts["opened from a checkpoint"] > 400


@pytest.mark.night
@pytest.mark.parametrize("seed", range(40))
def test_so_do_nodes_whose_messages_and_saves_come_in_another_order(seed: int) -> None:
    judge = CrashJudge(subsets_max=64, every_byte=True, blackouts=3)
    group = Group(judge=judge, seed=seed)
    write_run(group)
    check_equal(group)
    assert judge.states > 2000


@pytest.mark.slow
@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.__name__)
def test_a_pair_with_one_mistake_does_not_survive_the_crashes(wrong: type[Member]) -> None:
    with pytest.raises((AssertionError, MqError)) as died:
        write_run(Group(wrong, CrashJudge(lives_max=1, blackouts=0)))
    print(wrong.__name__, "died:", str(died.value).splitlines()[0][:200])
