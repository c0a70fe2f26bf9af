"""With what a schedule may begin: `logs` says what was before, and that must be something that Raft can have led to.

Each entry was made by the leader of its term, and a majority had given that leader its votes. They are in this term since, or
in a later one; and who still is in it has no vote left. Else a second leader of the term could be elected, and a schedule would
break a promise that was broken before it began. What a node voted in such a term is filled in, where a schedule does not say.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, takewhile
from typing import NamedTuple

from labs.stage3_raft.lab3e_write_the_test.lines import Command, LineError

__all__ = ["begun"]


class _Node(NamedTuple):
    """With what a node begins. at: place of its command among all; -1 for one that knows nothing yet."""

    node_id: int
    at: int = -1
    terms: tuple[int, ...] = ()
    term: int = 0
    vote: int | None = None


def begun(commands: Sequence[Command]) -> tuple[Command, ...]:
    """The same, with votes. Raises: LineError for a beginning that no run of Raft leads to.

    What is wrong with a `logs` by itself, such as terms that fall, is told when it is played.
    """
    given = {node.node_id: node for node in _given(commands)}
    voters = _voters(commands)
    if not all(map(_is_whole, given.values())):
        return tuple(commands)
    for one, other in combinations(sorted(given.values(), key=lambda node: node.at), 2):
        _check_alike(commands[other.at], one, other)
    nodes = {node_id: given.get(node_id, _Node(node_id)) for node_id in {*voters, *given}}
    for node in given.values():
        _check_vote(commands[node.at], node, nodes)
    done = list(commands)
    for term in sorted({term for node in given.values() for term in node.terms}):
        leader = _leader(term, [nodes[node_id] for node_id in voters])
        if leader is None:
            last = max((node for node in given.values() if term in node.terms), key=lambda node: node.at)
            raise _refused(commands[last.at], _not_elected(term, [nodes[node_id] for node_id in voters]))
        for node in given.values():
            if node.term == term and node.vote is None and node.node_id in voters:
                done[node.at] = done[node.at]._replace(words=(*done[node.at].words, "vote", str(leader)))
    return tuple(done)


# --- what it says


def _voters(commands: Sequence[Command]) -> tuple[int, ...]:
    return tuple(int(word) for word in takewhile(str.isdigit, commands[0].words)) if commands else ()


def _given(commands: Sequence[Command]) -> Iterator[_Node]:
    """The last `logs` of each node counts."""
    for at, command in enumerate(commands):
        if command.verb == "logs":
            terms = tuple(int(word) for word in takewhile(str.isdigit, command.words[1:]))
            more = command.words[1 + len(terms) :]
            facts = {word: int(value) for word, value in zip(more[::2], more[1::2], strict=True)}
            own = facts.get("term", terms[-1] if terms else 0)
            yield _Node(int(command.words[0].rstrip(":")), at, terms, own, facts.get("vote"))


def _is_whole(node: _Node) -> bool:
    return [*node.terms, node.term] == sorted([*node.terms, node.term]) and 0 not in node.terms


# --- what cannot be


def _check_alike(command: Command, one: _Node, other: _Node) -> None:
    """Raises: LineError where two logs hold the same entry and differ before it."""
    same = [index for index, (a, b) in enumerate(zip(one.terms, other.terms, strict=False), 1) if a == b]
    if same and one.terms[: same[-1]] != other.terms[: same[-1]]:
        entry = f"entry {same[-1]} of term {one.terms[same[-1] - 1]}"
        raise _refused(command, f"nodes {one.node_id} and {other.node_id} both hold {entry}, and differ before it")


def _check_vote(command: Command, node: _Node, nodes: Mapping[int, _Node]) -> None:
    """Raises: LineError when it voted for somebody who never asked."""
    if node.vote is not None and node.vote in nodes and nodes[node.vote].term < node.term:
        late = f"node {node.vote}, which is in term {nodes[node.vote].term}, never asked for it"
        raise _refused(command, f"node {node.node_id} gave node {node.vote} its vote in term {node.term}, and {late}")


def _leader(term: int, voters: Sequence[_Node]) -> int | None:
    """Who can have led that term: who has more entries of it comes first."""
    able = [node for node in voters if _can_have_voted(node, node.node_id, term)]
    for node in sorted(able, key=lambda node: (-node.terms.count(term), node.node_id)):
        if 2 * sum(_can_have_voted(voter, node.node_id, term) for voter in voters) > len(voters):
            return node.node_id
    return None


def _can_have_voted(voter: _Node, leader: int, term: int) -> bool:
    return voter.term > term or (voter.term == term and voter.vote in {None, leader})


def _not_elected(term: int, voters: Sequence[_Node]) -> str:
    told = ", ".join(f"node {node.node_id} is in term {node.term}" for node in voters)
    voted = [f"node {node.node_id} voted for {node.vote}" for node in voters if node.term == term and node.vote is not None]
    needed = f"a majority elected its leader, and is in term {term} or a later one since"
    known = ", ".join((told, *voted))
    return f"there is an entry of term {term}, so {needed}; but {known} (`term {term}` behind a log says that its node is)"


def _refused(command: Command, why: str) -> LineError:
    return LineError(command.number, command.text, f"no run of Raft leads to this beginning: {why}")
