"""Epochs: how often a master was named. Each has one master for ever, whatever people do.

A person promotes where she likes, also two nodes that do not hear each other. So nodes count in steps of the number of nodes,
each from its own place on: of nodes 1, 2 and 3 the first may only begin epochs 1, 4, 7 and so on, the second 2, 5, 8, the third
3, 6, 9. No two nodes ever begin the same one, without asking anybody. Paxos numbers its ballots so.
"""

from collections.abc import Sequence

from mq.core.errors import IllegalArgumentError
from mq.core.ids import Term

__all__ = ["master_of", "next_epoch"]


def next_epoch(highest: int, node_id: int, nodes: Sequence[int]) -> Term:
    """The first epoch above `highest` that this node may begin. nodes: all of the group.

    Raises: IllegalArgumentError for a node that is none of them.
    """
    ordered = sorted(nodes)
    if node_id not in ordered:
        raise IllegalArgumentError(f"node {node_id} is none of {', '.join(map(str, ordered))}")
    first = ordered.index(node_id) + 1
    rounds = max(0, highest - first + len(ordered)) // len(ordered)
    return Term(first + rounds * len(ordered))


def master_of(epoch: int, nodes: Sequence[int]) -> int | None:
    """The node that alone may be the master of this epoch; None of epoch 0, in which there is none."""
    return None if epoch < 1 else sorted(nodes)[(epoch - 1) % len(nodes)]
