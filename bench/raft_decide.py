"""What one decision costs the Raft core: a batch of entries proposed, and the outputs that come of it.

    python -m bench.raft_decide [--entries 64] [--bytes 256] [--rounds 400]

Measured is `propose` of a leader with two followers, on a log in memory, and beside it the same with the broker's commit
log, which plans the bytes as well. The bar: 64 entries in under 100 µs of the core. A benchmark is no test.
"""

import argparse
import random
import time
from collections.abc import Callable
from statistics import median

from bench.common import machine
from mq.broker.store.commit_log import CommitLog
from mq.core.ids import EntryId, LogIndex, Term
from mq.raft.configuration import Configuration
from mq.raft.messages import AppendReply, AppendRequest, VoteReply
from mq.raft.node import RaftNode
from mq.raft.options import RaftOptions
from mq.raft.output import Output
from mq.raft.port import LogStorage
from mq.sim.group.light_log import LightLog, LightMedium

__all__ = ["decide_us", "main"]


def _leader(log: LogStorage) -> RaftNode:
    """Of three nodes; the other two agree with everything."""
    node = RaftNode(1, log, random.Random(1), options=RaftOptions(has_pre_vote=False), configuration=Configuration.of(1, 2, 3))
    output = node.campaign()
    output = node.saved(output.saves[-1].sequence)
    _agree(node, node.step(VoteReply(2, 1, node.term, is_granted=True)))
    return node


def _agree(node: RaftNode, output: Output) -> None:
    """The disk and both followers take what the leader says."""
    for request in output.send:
        if isinstance(request, AppendRequest):
            match, none = LogIndex(request.previous.index + len(request.entries)), EntryId(Term(0), LogIndex(0))
            node.step(AppendReply(request.to, 1, node.term, True, match, none.index, none, request.round))  # noqa: FBT003
    if output.saves:
        node.saved(output.saves[-1].sequence)


def decide_us(log: LogStorage, entries: int, size_bytes: int, rounds: int) -> tuple[float, float]:
    """(median, smallest) microseconds of one `propose`."""
    node, payloads, spans = _leader(log), [b"x" * size_bytes] * entries, []
    for _ in range(rounds):
        began = time.perf_counter()
        output = node.propose(payloads)
        spans.append((time.perf_counter() - began) * 1e6)
        _agree(node, output)
    return median(spans), min(spans)


def main() -> None:
    """Print both figures."""
    parser = argparse.ArgumentParser(description="what one decision costs the Raft core")
    parser.add_argument("--entries", type=int, default=64)
    parser.add_argument("--bytes", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=400)
    options = parser.parse_args()
    print(", ".join(f"{name} {value}" for name, value in machine().items()))
    logs: dict[str, Callable[[], LogStorage]] = {
        "in memory": lambda: LightLog(LightMedium()),
        "of the broker": CommitLog,
    }
    for name, make in logs.items():
        middle, smallest = decide_us(make(), options.entries, options.bytes, options.rounds)
        what = f"propose {options.entries} entries of {options.bytes} bytes, log {name}"
        print(f"{what}: median {middle:.0f} µs, smallest {smallest:.0f} µs")


if __name__ == "__main__":
    main()
