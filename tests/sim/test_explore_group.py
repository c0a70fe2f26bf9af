"""A Raft group explored: the right one holds in every state of a small scope, wrong ones break, and what is found is true."""

import random
from dataclasses import replace

import pytest

from mq.core.entry import HardState
from mq.core.errors import IllegalArgumentError
from mq.raft.messages import Message, VoteReply, VoteRequest
from mq.raft.node import RaftNode
from mq.raft.options import RaftOptions
from mq.raft.output import Output
from mq.sim.explore.exhaustive import breadth_first
from mq.sim.explore.goals import DEEP_SCOPE, TINY_SCOPE, search_deep, search_small
from mq.sim.explore.group_model import GroupModel, GroupState
from mq.sim.explore.host import Host, NoChance, Setting
from mq.sim.explore.local import Kind
from mq.sim.explore.model import Outcome, Question
from mq.sim.explore.promises import PROMISES, Look
from mq.sim.explore.scope import FIRST_ID, Scope
from mq.sim.explore.shrink import replay
from mq.sim.explore.story import Story, replay_words
from mq.sim.explore.symmetry import Symmetry
from mq.sim.explore.words import HOW_STEPS_READ
from mq.sim.explore.wrong_cores import SMALL_SCOPE_CORES, CountsAnyTerm
from mq.sim.group.events import GROUP_EVENTS
from mq.sim.group.judge import judge
from mq.sim.trace import HEADING, Event

pytestmark = pytest.mark.sim

OPTIONS = RaftOptions(entries_max=1, has_pre_vote=False, has_check_quorum=False)
ONE_TERM = Scope(term_max=1, index_max=2, proposals=1, crashes=1, in_flight_max=4, promises=tuple(PROMISES), options=OPTIONS)


def step_named(model: GroupModel, state: GroupState, words: str) -> int:
    return next(step for step in model.steps(state) if model.words(step).startswith(words))


def after_words(model: GroupModel, *words: str) -> GroupState:
    state = model.first()
    for name in words:
        after = model.after(state, step_named(model, state, name))
        assert after is not None
        state = after
    return state


# ---------------------------------------------------------------- the model


def test_messages_arrive_in_any_order_or_never() -> None:
    model = GroupModel(ONE_TERM)
    state = after_words(model, "time-out n1")
    names = [model.words(step) for step in model.steps(state)]
    assert [name.split(" term")[0] for name in names if name.startswith("deliver")] == [
        "deliver n1>n2 vote-request",
        "deliver n1>n3 vote-request",
    ]
    assert not any(name.startswith("time-out n1") for name in names), "the scope has one term"
    elected = after_words(model, "time-out n1", "deliver n1>n3", "deliver n3>n1")
    assert model.local.states[elected.nodes[0]].is_leader
    assert "propose n1" in [model.words(step) for step in model.steps(elected)]
    assert "deliver n1>n2 vote-request" in " ".join(model.words(step) for step in model.steps(elected))


def test_a_crash_keeps_what_is_durable_and_nothing_else() -> None:
    model = GroupModel(ONE_TERM)
    state = after_words(model, "time-out n1", "deliver n1>n3", "deliver n3>n1", "propose n1", "crash n1")
    look = model.local.states[state.nodes[0]].look
    assert (look.role, look.term, look.vote, len(look.entries), look.commit_index) == ("follower", 1, FIRST_ID, 2, 0)
    assert not any(model.words(step).startswith("crash") for step in model.steps(state)), "the scope has one crash"


def test_a_save_can_be_a_step_of_its_own() -> None:
    model = GroupModel(replace(ONE_TERM, is_disk_ready=False))
    state = after_words(model, "time-out n1")
    assert state.messages == (), "a request for votes is a promise that term and log are durable"
    assert len(after_words(model, "time-out n1", "save n1").messages) == 2
    lost = after_words(model, "time-out n1", "crash n1")
    assert model.local.states[lost.nodes[0]].look.term == 0
    granted = after_words(model, "time-out n1", "save n1", "deliver n1>n3", "crash n3")
    assert model.local.states[granted.nodes[2]].look.vote is None
    assert granted.messages == after_words(model, "time-out n1", "save n1").messages[1:] or len(granted.messages) == 1


def test_what_leaves_the_scope_cannot_happen() -> None:
    model = GroupModel(replace(ONE_TERM, in_flight_max=1))
    assert model.after(model.first(), step_named(model, model.first(), "time-out n1")) is None
    lossy = GroupModel(replace(ONE_TERM, in_flight_max=1, is_full_lossy=True))
    assert len(after_words(lossy, "time-out n1").messages) == 1
    repeating = GroupModel(replace(ONE_TERM, repeats=1))
    state = after_words(repeating, "time-out n1", "repeat n1>n3 vote-request")
    assert len(state.messages) == 3, "the request stays, and an answer is under way"
    assert not any(step & 7 == Kind.REPEAT for step in repeating.steps(state))


def test_time_cannot_pass_in_an_explored_group() -> None:
    with pytest.raises(IllegalArgumentError, match="has_check_quorum"):
        Scope(options=RaftOptions())


def test_steps_keep_their_meaning_in_another_story() -> None:
    """The vote of term 1 stands for that of term 2 where nobody campaigned in term 1."""
    model = GroupModel(replace(ONE_TERM, term_max=2))
    state = after_words(model, "time-out n1", "time-out n1", "deliver n1>n3 vote-request term=2")
    wanted = step_named(model, state, "deliver n3>n1 vote-reply term=2")
    other = after_words(model, "time-out n1", "deliver n1>n3")
    resolved = model.resolve(other, wanted)
    assert resolved is not None
    assert model.words(resolved).startswith("deliver n3>n1 vote-reply term=1")
    assert model.resolve(model.first(), wanted) is None
    crash = step_named(model, model.first(), "crash n2")
    assert model.resolve(model.first(), crash) == crash


# ---------------------------------------------------------------- shortcuts that must change nothing


def by_hand(model: GroupModel, path: tuple[int, ...]) -> list[Look]:
    """The same steps on real nodes that live through the whole story: nothing is copied, nothing looked up."""
    scope = model.scope
    setting = Setting(RaftNode, scope.options, scope.configuration, NoChance(), scope.is_disk_ready)
    hosts = [Host(node_id, setting) for node_id in scope.ids]
    proposals = 0
    for step in path:
        kind, number = Kind(step & 7), step >> 3
        message: Message | None = model.local.messages[number] if kind <= Kind.REPEAT else None
        host = hosts[number if message is None else message.to - FIRST_ID]

        def act(node: RaftNode, kind: Kind = kind, message: Message | None = message, proposal: int = proposals + 1) -> Output:
            if message is not None:
                return node.step(message)
            return node.campaign() if kind is Kind.TIME_OUT else node.propose([f"c{proposal}".encode()])

        proposals += kind is Kind.PROPOSE
        if kind is Kind.CRASH:
            host.start(setting)
        elif kind is Kind.SAVE:
            host.save(setting)
        elif kind is Kind.HEARTBEAT:
            host.heartbeat(setting)
        elif kind is not Kind.LOSE:
            host.call(setting, act)
    return [Look.of(host.node.view(), host.log.entries, host.applied) for host in hosts]


@pytest.mark.parametrize("is_disk_ready", [True, False])
def test_what_is_looked_up_is_what_real_nodes_do(is_disk_ready: bool) -> None:
    scope = replace(DEEP_SCOPE, is_disk_ready=is_disk_ready, repeats=2, crashes=2, proposals=2)
    model, rng = GroupModel(scope), random.Random(7)
    met: set[Kind] = set()
    for _ in range(200):
        state, path = model.first(), []
        for _ in range(40):
            step = rng.choice(model.steps(state))
            after = model.after(state, step)
            if after is not None:
                state = after
                path.append(step)
                met.add(Kind(step & 7))
        assert [model.local.states[number].look for number in state.nodes] == by_hand(model, tuple(path))
    assert met >= {Kind.DELIVER, Kind.TIME_OUT, Kind.CRASH, Kind.PROPOSE, Kind.HEARTBEAT, Kind.REPEAT}


def all_states(model: GroupModel) -> list[GroupState]:
    seen = {model.key(model.first())}
    found = [model.first()]
    for state in found:
        for step in model.steps(state):
            after = model.after(state, step)
            if after is not None and model.key(after) not in seen:
                seen.add(model.key(after))
                found.append(after)
    return found


def test_symmetry_leaves_one_state_of_all_that_differ_in_names() -> None:
    scope = replace(ONE_TERM, in_flight_max=3, proposals=0)
    model = GroupModel(scope)
    symmetry = Symmetry(model.local, model.history, scope)
    states = all_states(model)
    sizes: dict[object, int] = {}
    for state in states:
        name = symmetry.key(state.nodes, state.messages, state.past, state.spent)
        sizes[name] = sizes.get(name, 0) + 1
    reduced = breadth_first(GroupModel(replace(scope, has_symmetry=True)), Question())
    assert reduced.states == len(sizes) < len(states) / 4
    assert set(sizes.values()) <= {1, 2, 3, 6}, "what differs in names alone comes in numbers that divide 6"
    assert sizes[symmetry.key(*model.first()[:4])] == 1, "the first state is the same under all names"


# ---------------------------------------------------------------- small scope


@pytest.mark.slow
def test_no_state_of_a_small_scope_breaks_a_promise() -> None:
    found = search_small(RaftNode, TINY_SCOPE)
    assert found.result.outcome is Outcome.EXHAUSTED, found.result.why
    assert found.result.states > 90_000, f"only {found.result.states} states: nothing was met"
    assert any(past.applied for past in found.model.history.pasts), "nothing was ever applied"
    terms = {term for past in found.model.history.pasts for term, _ in past.leaders}
    assert terms == {1, 2}


@pytest.mark.parametrize("name", SMALL_SCOPE_CORES)
def test_a_small_scope_kills_a_wrong_core(name: str) -> None:
    found = search_small(SMALL_SCOPE_CORES[name], TINY_SCOPE)
    assert found.result.outcome is Outcome.BROKEN
    model = found.model
    assert replay(model, found.path, lambda state: state.wrong > 0) == found.path
    for place in range(len(found.path)):
        rest = found.path[:place] + found.path[place + 1 :]
        shorter = replay(model, rest, lambda state: state.wrong > 0)
        assert shorter is None or len(shorter) >= len(found.path) - 1, "breadth first promises a shortest path"


class Contradicts(RaftNode):
    """Counts a vote that nobody gave."""

    __slots__ = ()

    def on_vote_reply(self, message: VoteReply) -> None:
        raise AssertionError("a reply that cannot be")


def test_a_node_that_contradicts_itself_is_told() -> None:
    found = search_small(Contradicts, TINY_SCOPE)
    assert (found.result.outcome, found.result.which) == (Outcome.BROKEN, "own-invariants")
    assert "a reply that cannot be" in found.result.why
    silent = GroupModel(replace(TINY_SCOPE, promises=("state-machine-safety",)), Contradicts)
    first = silent.first()
    assert silent.after(first, step_named(silent, first, "time-out n1")) is None, "it just stops there"


class KeepsNothing(RaftNode):
    """Another author's class, with fields that the explorer has never heard of."""

    def __init__(self, *arguments: object, **named: object) -> None:
        super().__init__(*arguments, **named)  # type: ignore[arg-type]  # handed on as they come
        self.heard: dict[int, list[VoteRequest]] = {}

    def on_vote_request(self, message: VoteRequest) -> None:
        self.heard.setdefault(message.sender, []).append(message)
        super().on_vote_request(message)

    def _hard_state(self) -> HardState:
        return HardState(self.term, self.vote)


def test_somebody_elses_class_is_explored_with_its_own_fields() -> None:
    scope = replace(ONE_TERM, in_flight_max=3, proposals=0, has_symmetry=True)
    ours, theirs = breadth_first(GroupModel(scope), Question()), breadth_first(GroupModel(scope, KeepsNothing), Question())
    assert theirs.outcome is Outcome.EXHAUSTED
    assert theirs.states > ours.states, "what was heard tells states apart"


# ---------------------------------------------------------------- the deep search


@pytest.mark.slow
def test_the_deep_search_finds_what_counting_any_term_breaks() -> None:
    found = search_deep(CountsAnyTerm, seed=6, seconds_max=60)
    assert (found.result.outcome, found.result.which) == (Outcome.BROKEN, "state-machine-safety")
    assert 20 <= len(found.path) <= 25, [found.model.words(step) for step in found.path]
    story = Story(found.model, found.path)
    applied = [event for event in story.trace.events() if event.name == "apply" and event.number("index") == 1]
    assert len({event.number("term") for event in applied}) == 2, "two nodes applied different entries at index 1"
    right = GroupModel(DEEP_SCOPE)
    path, missing = replay_words(right, story.to_text())
    assert missing is not None or not Story(right, path).state.wrong, "the right core does not follow that story to its end"


def test_a_story_with_other_names_for_the_nodes_is_a_story_too() -> None:
    found = search_small(SMALL_SCOPE_CORES["forgets-its-vote"], TINY_SCOPE)
    others = list(found.model.renamed(found.path))
    assert len({found.path, *others}) == 6, "three nodes have six orders"
    for other in others:
        assert replay(found.model, other, lambda state: state.wrong > 0) == other


def test_a_story_is_a_trace_that_can_be_replayed() -> None:
    found = search_small(SMALL_SCOPE_CORES["forgets-its-vote"], TINY_SCOPE)
    story = Story(found.model, found.path)
    text = story.to_text()
    remarks, _, lines = text.partition(HEADING)
    *steps, entries, how = remarks.splitlines()
    assert (len(steps), entries, how) == (len(found.path), *(f"# {line}" for line in HOW_STEPS_READ))
    events = [Event.from_line(line) for line in lines.strip().splitlines()]
    assert {event.name for event in events} >= {"start", "role", "vote", "append", "save", "send", "receive", "power-loss"}
    for event in events:
        assert list(event.details) == _details_of(event), event.to_line()
    model = GroupModel(TINY_SCOPE, SMALL_SCOPE_CORES["forgets-its-vote"])
    path, missing = replay_words(model, text)
    assert missing is None
    assert Story(model, path).to_text() == text
    _, missing = replay_words(GroupModel(TINY_SCOPE), text)
    assert missing is not None, "the right core gives no second vote"


def test_stories_stand_before_the_judge_of_traces() -> None:
    model, rng = GroupModel(replace(DEEP_SCOPE, repeats=2)), random.Random(3)
    for _ in range(60):
        state, path = model.first(), []
        for _ in range(40):
            step = rng.choice(model.steps(state))
            after = model.after(state, step)
            if after is not None:
                state = after
                path.append(step)
        violation = judge(Story(model, path).trace.events())
        assert violation is None, violation.to_text()
    found = search_small(SMALL_SCOPE_CORES["commits-without-quorum"], TINY_SCOPE)
    assert judge(Story(found.model, found.path).trace.events()) is not None


def _details_of(event: Event) -> list[str]:
    if event.name == "send":
        return list(event.details)  # depends on the kind of message
    return GROUP_EVENTS[event.name][1].split()
