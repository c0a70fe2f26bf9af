"""The judge of recorded traces: it keeps silent about right ones, and finds in a trace's lines what a wrong Raft did."""

import re
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

from mq.raft.node import RaftNode
from mq.sim.checkers import VacuousRunError
from mq.sim.group.judge import judge, main, read_lines
from mq.sim.group.judge_heard import FORGOTTEN, Post
from mq.sim.group.watch import ViolationError
from mq.sim.group.world import GroupWorld
from tests.sim import group_wrong as wrong


@cache
def trace_of(seed: int) -> str:
    return GroupWorld(seed).run().to_text()


SEED = 5
"""A run with restarts, snapshots, one that was installed, and a change of members."""

ASKING_SEED = 18
"""One with 5 nodes."""


def promise_of(text: str) -> str:
    found = judge(read_lines(text))
    return "" if found is None else found.promise


# ---------------------------------------------------------------- wrong Rafts, from their traces alone

CAUGHT: dict[type[RaftNode], str] = {
    wrong.LeadsWithItsOwnVote: "a leader has the votes of a quorum",
    wrong.ChecksOnlyTheIndex: "logs that hold the same entry are equal up to it",
    wrong.VotesForAnyLog: "a vote goes only to a log that lacks nothing of the voter's",
    wrong.CountsOlderTerms: "a leader commits by counting only entries of its own term",
    wrong.CommitsToItsOwnEnd: "a follower commits only what its leader's request tells and reaches",
    wrong.TakesRefusalsForMatches: "a leader commits what a quorum acknowledged",
    wrong.ForgetsItsVote: "no vote leaves before it is on the disk",
    wrong.AcknowledgesAtOnce: "nothing is acknowledged that is not on the disk",
    wrong.SaysInstalledAtOnce: "a snapshot is said to be installed only when a crash leaves it there",
    wrong.VotesAtOnce: "a node speaks of no term that is not on its disk",
    wrong.ReadsWithoutAsking: "a read is never stale",
}


@pytest.mark.parametrize("make", CAUGHT, ids=lambda make: make.__name__)
def test_a_wrong_raft_is_found_out_by_its_trace(make: type[RaftNode]) -> None:
    found = set()
    for seed in range(1, 40):
        world = GroupWorld(seed, make=make, checkers=lambda _: [])
        with suppress(ViolationError, VacuousRunError):  # it may fall over its own feet: what was recorded till then is judged
            world.run()
        violation = judge(world.trace.events())
        found.add("" if violation is None else violation.promise)
        if CAUGHT[make] in found:
            return
    pytest.fail(f"the judge found only {found - {''}}")


# ---------------------------------------------------------------- right ones


def judge_seeds(seeds: range) -> Counter[str]:
    """What the runs met that were judged."""
    met: Counter[str] = Counter()
    for seed in seeds:
        world = GroupWorld(seed)
        violation = judge(world.run().events())
        assert violation is None, f"seed {seed}: {violation.to_text()}"
        met.update(world.met())
        met.update(world.nemesis.counts)
        met.update([f"{world.options.nodes} nodes", f"pre-vote {world.options.raft.has_pre_vote}"])
    return met


WANTED = (
    "3 nodes", "5 nodes", "pre-vote True", "pre-vote False", "crashes", "cuts", "changes of members", "transfers",
    "snapshots taken", "snapshots installed", "damage", "full_disk", "failing_sync", "repeated", "held",
)  # fmt: skip


def test_right_traces_are_judged_clean() -> None:
    met = judge_seeds(range(1, 9))
    assert met["elections"] > 10


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_right_traces_of_all_that_can_happen_are_judged_clean() -> None:
    met = judge_seeds(range(200, 240))
    assert [name for name in WANTED if not met[name]] == []


# ---------------------------------------------------------------- lines that were changed


def lines_of(seed: int) -> list[str]:
    return trace_of(seed).split("\n")


def place_of(lines: list[str], pattern: str, which: int = 0) -> int:
    return [number for number, line in enumerate(lines) if re.search(pattern, line)][which]


def changed(pattern: str, change: Callable[[re.Match[str]], str] | str, *, which: int = 0, seed: int = SEED) -> str:
    """A right trace, of which one line that fits is another one."""
    lines = lines_of(seed)
    place = place_of(lines, pattern, which)
    lines[place] = re.sub(pattern, change, lines[place])
    return "\n".join(lines)


def number_changed(pattern: str, by: int, *, which: int = 0, seed: int = SEED) -> str:
    """pattern: with the number as its only group."""

    def change(found: re.Match[str]) -> str:
        start, end = found.start(1) - found.start(), found.end(1) - found.start()
        return f"{found.group()[:start]}{int(found.group(1)) + by}{found.group()[end:]}"

    return changed(pattern, change, which=which, seed=seed)


def without(*patterns: str, seed: int = SEED) -> str:
    """A right trace without any line that fits."""
    lines = lines_of(seed)
    kept = [line for line in lines if not any(re.search(pattern, line) for pattern in patterns)]
    assert len(kept) < len(lines)
    return "\n".join(kept)


def without_receiving(sent: str, *, seed: int = SEED) -> str:
    """A right trace in which no message of this kind arrives."""
    numbers = {found.group(1) for line in lines_of(seed) if (found := re.search(rf" send +id=(\d+) {sent}", line))}
    assert numbers
    return "\n".join(
        line for line in lines_of(seed) if not ((found := re.search(r" receive +id=(\d+)", line)) and found.group(1) in numbers)
    )


def without_cause(kind: str, effect: str) -> str:
    """A right trace without one message that arrives: one of this kind that is followed by that effect."""
    lines = lines_of(SEED)
    pairs = pairwise(lines)
    place = next(
        number
        for number, (one, other) in enumerate(pairs)
        if re.search(rf" receive .* kind={kind}", one) and re.search(effect, other) and one.split()[1] == other.split()[1]
    )
    return "\n".join(lines[:place] + lines[place + 1 :])


def added(behind: str, line: Callable[[str], str], *, which: int = 0, seed: int = SEED) -> str:
    """A right trace with one more line behind the first that fits, made from that one."""
    lines = lines_of(seed)
    place = place_of(lines, behind, which)
    lines.insert(place + 1, line(lines[place]))
    return "\n".join(lines)


def by_the_next_node(pattern: str, *, which: int = 0, seed: int = SEED) -> str:
    """A line is another node's."""
    lines = lines_of(seed)
    place = place_of(lines, pattern, which)
    lines[place] = re.sub(r"  n(\d)", lambda found: f"  n{int(found.group(1)) % 3 + 1}", lines[place], count=1)
    return "\n".join(lines)


def voted_twice() -> str:
    """After its vote a node gives it to another one."""
    return changed(r"^(.* vote +term=\d+ for=)\d+$", lambda found: f"{found.group()}\n{found.group(1)}9")


def voted_for_another(who: Callable[[str, str], str]) -> str:
    """The first vote that was not for the voter itself is for somebody else."""
    return changed(
        r"^(.*  n(\d) +vote +term=\d+ for=)((?!\2)\d)$", lambda found: found.group(1) + who(found.group(2), found.group(3))
    )


def speaks_though_mute() -> str:
    def line(role: str) -> str:
        node = role.split()[1]
        return f"{role[:12]}  {node}    send  id=999999 kind=vote-reply to=n9 term=1 granted=0 pre=0"

    return added(r" role +role=mute", line, seed=MUTE_SEED)


MUTE_SEED = 1
"""A run in which a sync fails."""

TAMPERED: dict[str, Callable[[], str]] = {
    # --- terms and lives
    "terms never fall": lambda: number_changed(r" role +role=leader term=(\d+)", -1, which=1),
    "terms never fall, not even over a restart": lambda: number_changed(r" start +term=([1-9]\d*)", -1),
    "the term on a disk never falls": lambda: number_changed(r" save +sequence=\d+ term=([1-9]\d*)", -1, which=9),
    "a term begins with a campaign, or with a message of that term": lambda: without_cause(
        "vote-request", r" role +role=follower .*leader=-"
    ),
    "a vote on the disk is the one that was given, and stays": lambda: number_changed(
        r" save +sequence=\d+ term=\d+ vote=(\d)", 1
    ),
    "a restart begins no term": lambda: number_changed(r" start +term=([1-9]\d*)", 5),
    "what was durable is there after a restart": lambda: number_changed(r" start .*? last=([1-9]\d*)", -1),
    "a node starts with a snapshot that it had": lambda: number_changed(r" start .* snapshot=(\d+)", 1000, which=-1),
    "a dead node does nothing": lambda: without(r" start "),
    "a node that cannot trust its disk is silent": speaks_though_mute,
    # --- elections
    "a leader has the votes of a quorum": lambda: without_receiving(r"kind=vote-reply .*pre=0"),
    "only a candidate becomes a leader": lambda: by_the_next_node(r" role +role=leader"),
    "who asks first campaigns only when a quorum would vote for it": lambda: without_receiving(
        r"kind=vote-reply .*pre=1", seed=ASKING_SEED
    ),
    "only who campaigns asks for votes": lambda: by_the_next_node(r" send .*kind=vote-request .*pre=1", seed=ASKING_SEED),
    "a follower takes for its leader whom it heard lead": lambda: changed(r"( role +role=follower .*leader=)\d", r"\g<1>9"),
    "only a follower follows somebody": lambda: number_changed(r" role +role=leader .*leader=(\d)", 1),
    "a vote changes only with the term": voted_twice,
    "a vote goes only to a candidate that asked for it": lambda: voted_for_another(lambda _, __: "9"),
    "only who campaigns votes for itself": lambda: voted_for_another(lambda voter, _: voter),
    "a candidate names the end of its own log": lambda: changed(
        r"( kind=vote-request .*)last_index=\d+ last_term=\d+ pre=0", r"\1last_index=0 last_term=0 pre=0", which=-1
    ),
    "a candidate asks for votes only for a log that is on its disk": lambda: number_changed(
        r" kind=vote-request .*last_index=(\d+) last_term=\d+ pre=0", 5
    ),
    # --- what a leader says
    "only who leads a term speaks as its leader": lambda: by_the_next_node(r" send .*kind=append-request"),
    "a leader tells of no commit that it does not know of itself": lambda: changed(
        r"( kind=append-request .*commit=)\d+", r"\g<1>999", which=40
    ),
    "a leader sends only snapshots that it has": lambda: number_changed(r" kind=snapshot-request .*?index=(\d+)", 100),
    "leadership is handed only to one whose log is complete": lambda: added(
        r" role +role=leader", lambda role: re.sub(r"role .*(term=\d+).*", r"send  id=999999 kind=timeout-now to=n9 \1", role)
    ),
    # --- logs
    "a leader only appends to its log": lambda: number_changed(r" append +after=([1-9]\d*)(?= terms=\d)", -1),
    "a leader's new entries are of its own term": lambda: changed(r"( append +after=0 terms=)1 ", r"\g<1>7 "),
    "a log has no gaps": lambda: number_changed(r" append +after=(\d+)(?= terms=\d)", 1, which=30),
    "a follower's entries come from its leader's request": lambda: without_cause("append-request", r" append .*terms=\d"),
    # --- commits
    "a leader commits what a quorum acknowledged": lambda: without(r" receive .*kind=append-reply"),
    "a follower commits only what its leader's request tells and reaches": lambda: without_cause("append-request", r" commit "),
    "nothing is committed that is not in the log": lambda: number_changed(r" commit +index=(\d+)", 1000),
    "entries are applied in their order, and not before they are committed": lambda: number_changed(r" apply +index=(\d+)", 1),
    "no two nodes apply different commands for one index": lambda: changed(
        r"( apply .*body=x)\w{8}", lambda found: found.group(1) + "00000001", which=1
    ),
    "a node applies what its log holds": lambda: changed(r"( apply +index=2 .*body=x)\w{8}", r"\g<1>00000001"),
    "members in force stand in the log": lambda: changed(r"( members +voters=)\S+", r"\g<1>1", which=-1),
    # --- snapshots
    "a snapshot stands for what was applied": lambda: number_changed(r" snapshot +index=\d+ term=(\d+)", 1),
    "a node takes a snapshot of what it applied itself": lambda: by_the_next_node(r" snapshot +index=", which=0),
    "a snapshot that is sent stands for what was committed": lambda: number_changed(
        r" kind=snapshot-request .*snapshot_term=(\d+)", 1
    ),
    "a log lets go only of what a snapshot stands for": lambda: number_changed(r" forget +first=(\d+)", 100),
    "a snapshot is installed only when all of it came": lambda: without_receiving("kind=snapshot-request .*is_last=1"),
    "a snapshot is said to be installed only when its state is there": lambda: number_changed(
        r" kind=snapshot-reply .*?index=(\d+).*installed=1", 1000
    ),
    # --- messages and clients
    "nothing is received that was not sent": lambda: number_changed(r" receive +id=(\d+)", 100_000),
    "what a client is told to be done is applied": lambda: number_changed(r" done .*index=(\d+)", 1),
    "a read is never stale": lambda: changed(r"( answer .*index=)\d+", lambda found: found.group(1) + "0", which=-1),
    "a read is answered from a state that is there": lambda: number_changed(r" answer .*index=(\d+)", 1000),
}


@cache
def are_clean() -> bool:
    """As they were."""
    return not any(promise_of(trace_of(seed)) for seed in (SEED, ASKING_SEED, MUTE_SEED))


@pytest.mark.parametrize("promise", TAMPERED)
def test_a_changed_line_is_found(promise: str) -> None:
    assert are_clean()
    assert promise_of(TAMPERED[promise]()) == promise


@pytest.mark.parametrize(
    ("pattern", "change"),
    [
        (r"( previous_term=)(\d+)", r"\g<1>77"),
        (r"( previous_index=)(\d+)", r"\g<1>7777"),
        (r"( kind=append-request .* terms=)\d+ ", r"\g<1>77 "),
        (r"( kind=append-request .* bodies=x)\w{8} ", r"\g<1>00000001 "),
    ],
)
def test_a_request_is_held_against_the_leaders_own_log(pattern: str, change: str) -> None:
    assert promise_of(changed(pattern, change, which=40)) == "a leader sends what its log holds"


def test_a_trace_without_roles_or_votes_is_not_right() -> None:
    assert promise_of(without(r" role ")) == "only who campaigns asks for votes"
    assert promise_of(without(r" vote +term=")) == "a vote on the disk is the one that was given, and stays"
    assert promise_of(without(r" receive ")) == "a vote goes only to a candidate that asked for it"


def test_a_message_that_is_older_than_all_that_are_remembered_explains_anything() -> None:
    post = Post(remembered_max=2)
    for number in range(5):
        post.send(number, FORGOTTEN._replace(kind="vote-reply"))
    assert post.find(1) is FORGOTTEN
    assert post.find(4) == FORGOTTEN._replace(kind="vote-reply")
    assert post.find(5) is None


# ---------------------------------------------------------------- the command


def test_the_command_judges_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad, short = tmp_path / "good.txt", tmp_path / "bad.txt", tmp_path / "short.txt"
    good.write_text(trace_of(SEED))
    bad.write_text(TAMPERED["a read is never stale"]())
    short.write_text("\n".join(trace_of(SEED).split("\n")[:8]))
    assert main([str(good)]) == 0
    assert "events judged, every rule was kept" in capsys.readouterr().out
    assert main([str(bad)]) == 1
    assert "broken: a read is never stale" in capsys.readouterr().err
    assert main([str(short)]) == 1, "without a commit nothing was judged"
    assert main([str(tmp_path / "none.txt")]) == 2
    assert main([]) == 2
