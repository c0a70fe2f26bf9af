"""Ring 1: what the paper says of a snapshot that is taken, and of the log that it takes the place of."""

from labs.stage3_raft.lab3d_snapshots.bench import MEMBERS, SlowNode, slow
from labs.stage3_raft.lone import Bench, command, entry_id, of_kind
from labs.stage3_raft.sentences import Sentences
from mq.core.entry import Entry, EntryKind
from mq.core.ids import EntryId, LogIndex, Term
from mq.raft.configuration import Configuration
from mq.raft.messages import Snapshot, VoteReply, VoteRequest

__all__ = ["new_snapshot", "sentence", "votes"]

sentence = Sentences()

_7 = "Paper: Raft, section 7"
_OTHERS = Configuration.of(1, 2, 3, 4, 5)


def new_snapshot(bench: Bench, node: SlowNode, last: EntryId, because: str) -> Snapshot:
    """The one that it takes now. Raises: PromiseBrokenError when it stands for something else."""
    found = node.take()
    said = "there is none" if found is None else f"it stands for all up to entry {found.last.index} of term {found.last.term}"
    expected = f"{because}: a snapshot stands for all up to entry {last.index} of term {last.term}"
    bench.see(found is not None and found.last == last, expected, said)
    assert found is not None
    return found


def votes(bench: Bench, node: SlowNode, last: EntryId, *, expected: bool, because: str) -> None:
    """Whether it votes for a candidate whose log ends there. Raises: PromiseBrokenError."""
    term = node.node.term + 1
    replies = of_kind(node.hear(node.request_of(3, term, last)), VoteReply)
    said = [reply.is_granted for reply in replies]
    words = f"a candidate whose log ends with entry {last.index} of term {last.term}"
    bench.see(said == [expected], f"{because}; {words} gets {'a' if expected else 'no'} vote", f"the answers are {said}")


def _follower(bench: Bench, count: int = 3, *, commit: int = 2) -> SlowNode:
    """With so many entries of term 1, of which so many are committed; node 2 leads term 5."""
    node = slow(bench, [1] * count)
    node.hear(node.append_of(5, entry_id(count, 1), commit=commit))
    return node


def _first_is(bench: Bench, node: SlowNode, index: int, because: str) -> None:
    found = node.member.log.first_index
    bench.see(found == index, f"{because}: the log begins with entry {index}", f"it begins with entry {found}")


# --- taken


@sentence(_7)
def where_nothing_was_applied_there_is_no_snapshot(bench: Bench) -> None:
    node = slow(bench)
    found = node.take()
    bench.see(found is None, "nothing was applied yet: there is nothing to take a snapshot of", found)
    node.hear(node.append_of(5, entries=[command(1, 5)], commit=1))
    new_snapshot(bench, node, entry_id(1, 5), "entry 1 is applied")


@sentence(_7)
def a_snapshot_stands_for_what_is_applied_and_not_for_all_that_is_committed(bench: Bench) -> None:
    node = _follower(bench, commit=1)
    node.member.is_applying = False
    node.hear(node.append_of(5, entry_id(3, 1), commit=3))
    new_snapshot(bench, node, entry_id(1, 1), "3 entries are committed, and the state machine has applied the first one")


@sentence(_7)
def it_names_its_last_entry_with_that_entrys_term(bench: Bench) -> None:
    node = slow(bench, [1, 2, 4])
    node.hear(node.append_of(7, entry_id(3, 4), commit=2))
    new_snapshot(bench, node, entry_id(2, 2), "it is in term 7, and the last entry that is applied is of term 2")


@sentence(_7, of=((2, 2, MEMBERS), (3, 3, _OTHERS), (2, 3, MEMBERS)))
def it_names_the_members_that_were_in_force_at_its_last_entry(bench: Bench, one: tuple[int, int, Configuration]) -> None:
    applied, commit, expected = one
    node = slow(bench, [1, 1])
    change = Entry(LogIndex(3), Term(5), EntryKind.CONFIGURATION, _OTHERS.to_bytes())
    node.hear(node.append_of(5, entry_id(2, 1), [change], commit=applied))
    node.member.is_applying = False
    node.hear(node.append_of(5, entry_id(3, 5), commit=commit))
    because = f"{applied} entries are applied, and {commit} are committed"
    found = new_snapshot(bench, node, entry_id(applied, 5 if applied == 3 else 1), because)
    members = found.configuration
    said = f"{because}; entry 3 names voters {_OTHERS.voters}: the snapshot behind entry {applied} names {expected.voters}"
    bench.see(members == expected, said, f"it names {members.voters}")


@sentence(_7)
def while_a_snapshot_is_being_saved_the_log_stays(bench: Bench) -> None:
    node = _follower(bench)
    new_snapshot(bench, node, entry_id(2, 1), "2 entries are applied")
    node.tick(3)
    _first_is(bench, node, 1, "the snapshot is not on disk yet, and a crash may come")


# --- the log goes


@sentence(_7)
def when_the_snapshot_is_on_disk_the_log_goes_up_to_its_last_entry(bench: Bench) -> None:
    node = _follower(bench)
    node.taken_is_saved(new_snapshot(bench, node, entry_id(2, 1), "2 entries are applied"))
    _first_is(bench, node, 3, "the snapshot stands for entries 1 and 2")
    last = node.member.log.last_index
    bench.see(last == 3, "what is behind the snapshot stays: the log ends with entry 3", f"it ends with entry {last}")


@sentence(_7)
def the_log_goes_no_further_though_more_was_applied_meanwhile(bench: Bench) -> None:
    node = _follower(bench)
    taken = new_snapshot(bench, node, entry_id(2, 1), "2 entries are applied")
    node.hear(node.append_of(5, entry_id(3, 1), commit=3))
    node.taken_is_saved(taken)
    _first_is(bench, node, 3, "entry 3 was applied after the snapshot was taken")


@sentence(_7)
def there_is_no_second_snapshot_of_the_same_state(bench: Bench) -> None:
    node = _follower(bench)
    node.taken_is_saved(new_snapshot(bench, node, entry_id(2, 1), "2 entries are applied"))
    found = node.take()
    bench.see(found is None, "nothing was applied since the last snapshot: there is no new one", found)
    node.hear(node.append_of(5, entry_id(3, 1), commit=3))
    node.taken_is_saved(new_snapshot(bench, node, entry_id(3, 1), "one more entry is applied"))
    _first_is(bench, node, 4, "the newest snapshot stands for 3 entries")


@sentence(_7, of=((1, 1), (2, 2), (3, 3), (4, 3)))
def a_host_may_keep_more_entries_and_never_fewer(bench: Bench, one: tuple[int, int]) -> None:
    keep_from, first = one
    node = _follower(bench)
    node.taken_is_saved(new_snapshot(bench, node, entry_id(2, 1), "2 entries are applied"), keep_from)
    _first_is(bench, node, first, f"the snapshot stands for 2 entries, and the host wants to keep those from {keep_from} on")


@sentence("mq/raft/output.py, rule 9")
def the_host_is_told_which_files_may_go(bench: Bench) -> None:
    node = _follower(bench)
    taken = new_snapshot(bench, node, entry_id(2, 1), "2 entries are applied")
    node.taken_is_saved(taken)
    told = node.member.removed
    bench.see(bool(told), "the log named files that nobody needs: they are in `Output.forget`", "no `Output.forget` named any")


@sentence(_7)
def after_a_restart_the_state_is_the_snapshots_and_the_rest_is_applied_again(bench: Bench) -> None:
    nodes = bench.group()
    nodes.campaign(1)
    nodes.stabilize()
    nodes.propose(1, b"a")
    nodes.stabilize()
    nodes.snapshot(1)
    first = nodes.members[1].log.first_index
    bench.see(first == 3, "the snapshot stands for entries 1 and 2: the log begins with entry 3", f"it begins with entry {first}")
    nodes.propose(1, b"b")
    nodes.stabilize()
    nodes.crash(1)
    nodes.restart(1)
    commands = nodes.members[1].commands
    bench.see(commands == [b"a"], "behind the restart the state is the snapshot's: a", f"it is {nodes.members[1].state_text()}")
    nodes.campaign(1)
    nodes.stabilize()
    commands = nodes.members[1].commands
    bench.see(commands == [b"a", b"b"], "when it leads again its state is: a b", f"it is {nodes.members[1].state_text()}")


@sentence(_7)
def a_log_that_is_all_snapshot_still_has_a_last_entry_for_elections(bench: Bench) -> None:
    node = _follower(bench, 2)
    node.taken_is_saved(new_snapshot(bench, node, entry_id(2, 1), "2 entries are applied"))
    _first_is(bench, node, 3, "all entries are in the snapshot")
    node.restart()
    votes(bench, node, entry_id(1, 1), expected=False, because="its snapshot stands for entry 2 of term 1")
    votes(bench, node, entry_id(2, 1), expected=True, because="its snapshot stands for entry 2 of term 1")
    said = {request.last for request in of_kind(node.campaign(), VoteRequest)}
    bench.see(said == {entry_id(2, 1)}, "it campaigns and says that its log ends with entry 2 of term 1", f"it says {said}")
