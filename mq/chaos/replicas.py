"""What each node has made of the log, at the end: the same."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from mq.chaos.history import Copy, History, Replica
from mq.cluster.backend import NodeInfo
from mq.cluster.polling import poll_until
from mq.core.errors import MqError

__all__ = ["ask_replicas", "differing", "unlike"]

_LEVEL_S_MAX = 90.0
_ASK_S_MAX = 30.0
"""It costs a snapshot."""
_ASK_EVERY_S = 0.25


def ask_replicas(nodes: Sequence[NodeInfo]) -> list[Replica]:
    """What nodes say of their states, when all have applied equally much; after a long time, what they say then. Blocks."""
    found: list[Replica] = []

    def are_level() -> bool:
        found[:] = [one for node in nodes if (one := _ask(node)) is not None]
        return len(found) == len(nodes) and len({one.index for one in found}) == 1

    poll_until(are_level, _LEVEL_S_MAX, every_s=_ASK_EVERY_S)
    return found


def _ask(node: NodeInfo) -> Replica | None:
    from mq.rpc.admin_client import AdminClient  # noqa: PLC0415 - gRPC takes a tenth of a second to load
    from mq.rpc.calling import Connection  # noqa: PLC0415

    try:
        with Connection(node.client, timeout_s=_ASK_S_MAX) as connection:
            view = AdminClient(connection).describe_raft(with_state_hash=True)
    except MqError:
        return None
    return Replica(node.name, view.state_index, view.state_hash)


def differing(history: History) -> Iterator[str]:
    """All nodes came to the same entry, and made the same state of all up to it."""
    told = ", ".join(f"{one.node} {_hash_text(one)} of entry {one.index}" for one in history.replicas)
    members = int(history.facts.get("members", 0))
    if len({one.node for one in history.replicas}) < members:
        yield f"of {members} nodes only some told their state: {told or 'none'}"
    elif len({one.index for one in history.replicas}) > 1:
        yield f"they did not come to the same entry: {told}"
    elif any(one.state_hash is None for one in history.replicas) or len({one.state_hash for one in history.replicas}) > 1:
        yield f"their states differ: {told}"


def unlike(history: History) -> Iterator[str]:
    """What each node reads from its own disk is the same, queue by queue."""
    queues: dict[tuple[str, int], list[Copy]] = defaultdict(list)
    for copy in history.copies:
        queues[copy.topic, copy.queue_id].append(copy)
    members = int(history.facts.get("members", 0))
    for (topic, queue_id), copies in queues.items():
        told = ", ".join(f"{one.node} {one.count} messages ({one.checksum:08x})" for one in copies)
        if len({one.node for one in copies}) < members:
            yield f"queue {queue_id} of {topic} was read from some of {members} nodes only: {told}"
        elif len({(one.count, one.checksum) for one in copies}) > 1:
            yield f"queue {queue_id} of {topic} is not the same everywhere: {told}"


def _hash_text(one: Replica) -> str:
    return "nothing" if one.state_hash is None else f"{one.state_hash:08x}"
