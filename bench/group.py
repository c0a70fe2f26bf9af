"""The figures of a group of three nodes on this machine, beside one node by itself and the floors, in the same run."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bench import group_floor
from bench.broker import create_topic, serving
from bench.callers import SERVICE
from bench.common import MIB, Measured, Peer, data_folder
from bench.echo import call, echo
from bench.figures import Result, Setup, batch_call, best_fsync, column, in_turns, progress
from bench.http2 import unary
from bench.local_group import Group, Node, local_group
from bench.messages import OK, MessageTemplate
from bench.table import Bar, Row
from mq.proto import rocketmq_v2_pb2 as v2

__all__ = ["group"]

_SETTLE_S = 2.0
_CALLERS = 64


def group(setup: Setup) -> list[Row]:
    """Start and memory; batches, single and lone sends. All nodes, the floors' too, have their files in one folder."""
    with data_folder(setup.parent) as folder:
        rows = [*_start(folder, setup), *_memory(folder)]
        with serving(folder) as alone, local_group(folder) as three, echo() as bare:
            rows += _batches(folder, setup, alone, three)
            rows += _single(setup, alone, three)
            rows += _lone(folder, setup, alone, three, bare)
    return rows


# --- at rest


def _first_send(server: Measured) -> None:
    """A topic, and one message in it, acknowledged. Raises: RuntimeError."""
    create_topic(server, "first")
    raw = unary(server.endpoint, f"/{SERVICE}/SendMessage", MessageTemplate.request("first").next())
    status = v2.SendMessageResponse.FromString(raw).status
    if status.code != OK:
        raise RuntimeError(f"the first message: {status.code} {status.message}")


def _start(folder: Path, setup: Setup) -> list[Row]:
    """From the start of the processes, with empty folders, to the first acknowledged message, its topic made on the way."""

    def start_three() -> Result:
        begin = time.perf_counter()
        with local_group(folder, with_topic=False) as three:
            serves = time.perf_counter() - begin
            _first_send(three.leader())
            return {"seconds": time.perf_counter() - begin, "all_serve_s": serves}

    def start_one() -> Result:
        begin = time.perf_counter()
        with data_folder(folder) as own, serving(own, with_topic=False) as alone:
            _first_send(alone)
            return {"seconds": time.perf_counter() - begin, "all_serve_s": alone.ready["seconds"]}

    progress("start")
    results = in_turns(setup.rounds, group=start_three, alone=start_one)
    return [
        Row(
            "3 nodes, start to first acknowledged message", "s", column(results, "group", "seconds"), "one node by itself",
            column(results, "alone", "seconds"), [Bar("value", "at most", 2)], results,
        )
    ]  # fmt: skip


def _memory(folder: Path) -> list[Row]:
    """Resident memory some seconds after the start, nothing stored."""
    progress("memory")
    with data_folder(folder) as own, local_group(own, with_topic=False) as three, serving(own, with_topic=False) as alone:
        time.sleep(_SETTLE_S)
        sizes = {node.name: round(node.memory_bytes() / MIB, 1) for node in three.nodes()}
        one = alone.memory_bytes() / MIB
    return [
        Row(
            "resident memory of 3 idle nodes together", "MiB", [sum(sizes.values())], "one idle node by itself", [one],
            [Bar("value", "at most", 200)], [sizes],
        )
    ]  # fmt: skip


# --- at work


def _watched(three: Group, drive: Callable[[Node], Result], *, at_follower: bool = False) -> Result:
    """Let clients loose on the leader or on a follower; adds how busy each role was meanwhile (1 = one core)."""
    leader, followers = three.leader(), three.followers()
    before, begin = {node.name: node.cpu_s() for node in (leader, *followers)}, time.perf_counter()
    result = drive(followers[0] if at_follower else leader)
    elapsed = time.perf_counter() - begin
    used = {name: sum(node.cpu_s() - before[node.name] for node in nodes) for name, nodes in (("l", [leader]), ("f", followers))}
    return {**result, "leader_cpu_s": round(used["l"], 2), "follower_cpu_s": round(used["f"], 2), "elapsed_s": round(elapsed, 2)}


def _batches(folder: Path, setup: Setup, alone: Peer, three: Group) -> list[Row]:
    """Batches of 100 by our client at the leader."""
    progress("batch send")
    results = in_turns(
        setup.rounds,
        group=lambda: _watched(three, lambda node: batch_call(node, "send", setup)),
        alone=lambda: batch_call(alone, "send", setup),
        floor=lambda: group_floor.measure(folder, setup.seconds, window=setup.window),
        grouped=lambda: group_floor.measure(folder, setup.seconds, window=setup.window, is_grouped=True),
    )
    name, unit, rates = (
        f"group: batches of 100, {setup.window} on the way",
        "messages/s",
        column(results, "group", "messages_per_s"),
    )
    limits = {
        "the floor of three": ("floor", [Bar("value", "at least", 70_000), Bar("ratio", "at least", 0.4)]),
        "the floor of three, one sync for all that has come": ("grouped", [Bar("ratio", "at least", 0.4)]),
        "one node by itself": ("alone", []),
    }
    return [
        Row(name, unit, rates, limit, column(results, side, "messages_per_s"), bars, results if side == "floor" else ())
        for limit, (side, bars) in limits.items()
    ]


def _single(setup: Setup, alone: Peer, three: Group) -> list[Row]:
    """Single sends at 64 callers at the leader."""
    rows = []
    for client in ("grpc.aio", "light"):
        progress(f"single sends, {client} client")
        send = partial(call, what="send", callers=_CALLERS, seconds=setup.seconds, client=client)
        results = in_turns(setup.rounds, group=partial(_watched, three, send), alone=partial(send, alone))
        rows.append(
            Row(
                f"group: single sends, {_CALLERS} callers, {client} client", "calls/s", column(results, "group", "per_s"),
                "one node by itself", column(results, "alone", "per_s"), [Bar("ratio", "at least", 0.6)], results,
            )
        )  # fmt: skip
    return rows


def _lone(folder: Path, setup: Setup, alone: Peer, three: Group, bare: Peer) -> list[Row]:
    """One synchronous send after another: at the leader, through a follower, and at one node by itself."""
    progress("lone sends")
    send = partial(call, what="send", callers=1, seconds=setup.seconds)
    results = in_turns(
        setup.rounds,
        leader=lambda: _watched(three, send),
        follower=lambda: _watched(three, send, at_follower=True),
        alone=lambda: send(alone),
        echo=lambda: send(bare),
        fsync=lambda: best_fsync(folder, setup.seconds / 2),
    )
    echoes, syncs = column(results, "echo", "p50_us"), column(results, "fsync", "p50_us")
    limits = [2 * one + other for one, other in zip(echoes, syncs, strict=True)]
    names = {"leader": "at the leader", "follower": "through a follower", "alone": "one node by itself"}
    return [
        Row(
            f"group: lone send, p50, {name}", "us", column(results, side, "p50_us"), "2 echoes + fsync", limits,
            [Bar("ratio", "at most", 2.5)] if side == "leader" else (), results if side == "leader" else (),
        )
        for side, name in names.items()
    ]  # fmt: skip
