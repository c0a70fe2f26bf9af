"""Nodes whose replaced organs break while a cluster starts.

Whoever tries an organ out in one node does not want to lose the others with it: where those are a majority, they go on, and it is
told of the one that broke. Nodes of ours that end while they start have another reason, and nobody goes on then.
"""

import time
from collections.abc import Callable, Collection

from mq.cluster.errors import ClusterError
from mq.cluster.files import LOGS, ClusterFile, NodeEntry
from mq.cluster.processes import STOPPED

__all__ = ["FIRST_CALLS_S", "BrokenParts", "BrokenPartsError"]

FIRST_CALLS_S = 1.0
"""So long after all nodes serve it is looked whether replaced organs break: the first calls of some come late."""
_BEGINS_S_MAX = 5.0


class BrokenPartsError(ClusterError):
    """The cluster is up and serves, but for nodes with replaced organs."""


class BrokenParts:
    """Of one start. is_new: a group that never had a leader begins only with all of its nodes (`mq.server.coming_in`).

    clock: seconds that only grow.
    """

    def __init__(self, file: ClusterFile, *, is_new: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._file, self._is_new, self._clock = file, is_new, clock
        self._since_s: float | None = None
        self.names: set[str] = set()

    def look(self, state_of: Callable[[str], str]) -> set[str]:
        """Note those that have ended by now, as long as the others can go on without them; their names."""
        ended = {node.name for node in self._file.nodes if node.name in self._file.parts and state_of(node.name) == STOPPED}
        self.names = ended if self.can_go_on(ended) else set()
        if self.names and self._since_s is None:
            self._since_s = self._clock()
        return self.names

    def can_go_on(self, without: Collection[str]) -> bool:
        """Whether a majority of each group is left."""
        groups = [[one for one in self._file.nodes if one.group == group] for group in {node.group for node in self._file.nodes}]
        return all(2 * sum(node.name not in without for node in group) > len(group) for group in groups)

    def is_hopeless(self, *, has_led: bool) -> bool:
        """Whether the others would wait for ever: their group had not begun when they were left alone."""
        is_late = self._since_s is not None and self._clock() - self._since_s > _BEGINS_S_MAX
        return self._is_new and not has_led and is_late

    def tell(self, lacks: Callable[[list[NodeEntry]], bool], check_alive: Callable[[list[str]], None], *, is_up: bool) -> None:
        """Raises: BrokenPartsError when nodes have ended, or when those with parts alone do not answer, and the others serve.

        is_up: whether all serve that are still waited for. lacks: whether these nodes do not serve. check_alive: raises
        ClusterError with the reason when one of these has ended.
        """
        without = self.names or (set() if is_up else set(self._file.parts))
        left = [node for node in self._file.nodes if node.name not in without]
        if not without or not self.can_go_on(without) or lacks(left):
            return
        first, names = min(without), " and ".join(sorted(without))
        reasons = f"{names} did not answer; what was said is in {self._file.folder / LOGS}"
        try:
            check_alive(sorted(without))
        except ClusterError as error:
            reasons = str(error)
        raise BrokenPartsError(
            f"{reasons}\n{' and '.join(node.name for node in left)} serve without it: "
            f"export MQ_ENDPOINT={','.join(node.client for node in left)}; when it is mended, "
            f"`mq cluster start {first} --dir {self._file.folder}` starts {first} again"
        )
