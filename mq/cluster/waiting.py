"""What is waited for when a cluster is called up, or one of its nodes: that it serves.

A node that its group has let go hears no leader, so that it turns clients away for ever. Nobody waits for it; but only after a
while, as a node that comes back without its disk is let go, too, just before it is taken in again.
"""

import time
from collections.abc import Callable, Iterable, Mapping

from mq.cluster.asking import ASKING, Answer, Ask, ask_all, foreign_leaders, leader_of, no_members
from mq.cluster.backend import NodeInfo

__all__ = ["Waiting", "missing_of"]

_SURE_AFTER_S = 3.0
_LOOK_EVERY_S = 0.5
_ON_THE_WAY = ("rejoining", "learning")


def missing_of(nodes: Iterable[NodeInfo], answers: Mapping[str, Answer | None]) -> list[str]:
    """Why a cluster cannot be called up yet, in sentences: all answer, each group has a leader, nobody could be taken for new.

    A node that dies while it holds nothing yet comes back as one that lost its disk.
    """
    nodes = list(nodes)
    leaderless = {node.group for node in nodes} - set(leader_of(nodes, answers)) - set(foreign_leaders(nodes, answers))
    missing = [f"{name} does not answer" for name, answer in answers.items() if answer is None]
    missing += [f"{name} holds nothing yet" for name, found in answers.items() if found is not None and found.role == ASKING]
    return missing + [f"{group} has no leader" for group in sorted(leaderless)]


class Waiting:
    """One wait, which looks again and again. ask: how a node is asked. clock: seconds that only grow.

    has_led: whether `missing` ever saw a leader, so that clients may have been served.
    """

    def __init__(self, ask: Ask, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._ask, self._clock = ask, clock
        self._since_s: dict[str, float] = {}  # of nodes that are no members now
        self._looked_s = self._began_s = clock()
        self.has_led = False

    def missing(self, nodes: Iterable[NodeInfo]) -> list[str]:
        """See `missing_of`; but nobody waits for nodes that are no members of their group any more."""
        nodes = list(nodes)
        answers = ask_all(nodes, self._ask)
        self.has_led = self.has_led or bool(leader_of(nodes, answers))
        gone = self._gone(nodes, answers)
        awaited = [node for node in nodes if node.name not in gone]
        missing = missing_of(awaited, {node.name: answers[node.name] for node in awaited})
        return missing + [f"{name} may be no member any more" for name in self._in_doubt(answers) if name not in gone]

    def serves(self, name: str, nodes: Iterable[NodeInfo]) -> bool | None:
        """Whether a node answers, and its group has a leader; without one it turns clients away.

        None: it never will by itself. Its group has let it go, or no majority of the group runs and others must be started; or
        nobody leads where a person says who does.
        """
        nodes = list(nodes)
        own = next(node for node in nodes if node.name == name)
        members = [node for node in nodes if node.group == own.group]
        if ask_all([own], self._ask)[name] is None and self._clock() - self._looked_s < _LOOK_EVERY_S:
            return False  # the others have better things to do than to answer all the time
        answers, self._looked_s = ask_all(members, self._ask), self._clock()
        if name in self._gone(members, answers):
            return None
        answer = answers[name]
        if answer is None or name in self._in_doubt(answers):
            return False
        if leader_of(members, answers) or foreign_leaders(members, answers):
            return True
        if answer.needs_person:
            return None if self._clock() - self._began_s >= _SURE_AFTER_S else False
        voters = [node for node in members if answer.members is None or node.node in answer.members.voters]
        running = sum(node.state == "running" for node in voters)
        return False if 2 * running > len(voters) else None

    def _gone(self, nodes: Iterable[NodeInfo], answers: Mapping[str, Answer | None]) -> set[str]:
        """Those that have been no members for a while."""
        now_s = self._clock()
        self._since_s = {name: self._since_s.get(name, now_s) for name in no_members(nodes, answers)}
        return {name for name, since_s in self._since_s.items() if now_s - since_s >= _SURE_AFTER_S}

    def _in_doubt(self, answers: Mapping[str, Answer | None]) -> list[str]:
        """Those that answer, are no members, and do not say that they are about to be: for how long they answer is not known."""
        return [name for name in self._since_s if (one := answers[name]) is not None and one.role not in _ON_THE_WAY]
