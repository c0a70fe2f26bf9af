"""What an official client sees when the leader dies, and when it stands still; and that nobody is elected when nothing happens.

The client is given the addresses that a follower's route names: all nodes. It connects to one of them, and stays until that
connection breaks. Leadership is handed over before each fault, so that it is known whether the leader that fails is the node
that the client is connected to (`own`) or another one.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median

from bench.callers import SERVICE
from bench.common import data_folder
from bench.figures import Setup, progress
from bench.http2 import unary
from bench.local_group import Group, local_group
from bench.sending_through import SendingClient, sending_client
from bench.steady import steady
from bench.table import Bar, Row
from mq.proto import rocketmq_v2_pb2 as v2

__all__ = ["failover"]

_CALM_S = 2.0
_AFTER_KILL_S = 2.0
_PAUSED_S = 3.0
_AFTER_RESUME_S = 1.0
_ARRANGE_TRIES = 10


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault and what the client saw of it. is_own: the client was connected to the node that failed.

    gap_s: the longest time between two successes around it. calm_s: the longest of such times in the two seconds before.
    failed: why the client gave up sends since the fault before (a node came back, leadership was handed over), one text each.
    """

    node: str
    is_own: bool
    gap_s: float
    calm_s: float
    failed: tuple[str, ...]


def _addresses_of_route(group: Group) -> str:
    """All nodes, in the order in which a follower's route names them, as the official client takes them."""
    request = v2.QueryRouteRequest()
    request.topic.name = "bench"
    route = v2.QueryRouteResponse.FromString(
        unary(group.followers()[0].endpoint, f"/{SERVICE}/QueryRoute", request.SerializeToString())
    )
    endpoints = route.message_queues[0].broker.endpoints
    return ";".join(f"{address.host}:{address.port}" for address in endpoints.addresses)


def gap_s(ends: Sequence[float], begin: float, end: float) -> float:
    """The longest time between two successes, of which some part lies within `begin` to `end`; all of that without any."""
    return max((later - earlier for earlier, later in pairwise(ends) if later > begin and earlier < end), default=end - begin)


def _arrange(group: Group, client: SendingClient, *, is_own: bool) -> str:
    """Let the client's own node lead, or another one; its name. Raises: RuntimeError."""
    for _ in range(_ARRANGE_TRIES):
        group.await_whole()
        own = client.node(group)
        name = own if is_own else next(node.name for node in group.nodes() if node.name != own)
        leader = group.leader().name
        if (leader == own) == is_own:
            name = leader
        else:
            group.let_lead(name)
            group.await_whole()
        if group.leader().name == name and (client.node(group) == name) == is_own:
            return name
    raise RuntimeError("leadership does not stay where it was handed to")


def _kill(group: Group, name: str) -> None:
    group.cluster.kill(name)
    time.sleep(_AFTER_KILL_S)


def _pause(group: Group, name: str) -> None:
    group.cluster.pause(name)
    time.sleep(_PAUSED_S)
    group.cluster.resume(name)
    time.sleep(_AFTER_RESUME_S)


def _fault(group: Group, client: SendingClient, do: Callable[[Group, str], None], *, is_own: bool) -> Fault:
    """Do something to the leader, and look at what came of it. Nodes that died are started again afterwards."""
    name = _arrange(group, client, is_own=is_own)
    _, earlier = client.take()
    calm = time.monotonic()
    time.sleep(_CALM_S)
    begin = time.monotonic()
    do(group, name)
    end = time.monotonic()
    client.await_success(end)
    ends, failed = client.take()
    for info in group.cluster.status().nodes:
        if info.state == "stopped":
            group.cluster.start(info.name, is_awaited=False)
    calm_s = gap_s([one for one in ends if one < begin], calm, begin)
    return Fault(name, is_own, gap_s(ends, begin, end), calm_s, tuple(error for _, _, error in (*earlier, *failed)))


def _faults(
    group: Group, client: SendingClient, what: str, do: Callable[[Group, str], None], owns: Sequence[bool]
) -> list[Fault]:
    """One fault for each of `owns`."""
    found: list[Fault] = []
    for number, is_own in enumerate(owns):
        found.append(fault := _fault(group, client, do, is_own=is_own))
        where = "the client's own node" if is_own else "another node"
        progress(
            f"  {what} {number + 1} of {len(owns)} ({where}, {fault.node}): gap {fault.gap_s:.3f} s,"
            f" before it {fault.calm_s:.3f} s, {len(fault.failed)} failed"
        )
    return found


def _rows(
    name: str, found: Sequence[Fault], *, median_s: float | None, worst_s: float | None, failed_max: int | None
) -> list[Row]:
    """Median and worst gap, and failed sends; bars where they are promised."""
    gaps = [fault.gap_s for fault in found]

    def bar(bound: float | None) -> list[Bar]:
        return [] if bound is None else [Bar("value", "at most", bound)]

    return [
        Row(
            f"{name}: gap", "s", gaps, "longest in the 2 s before", [fault.calm_s for fault in found], bar(median_s),
            [asdict(fault) for fault in found],
        ),
        Row(f"{name}: worst gap of {len(gaps)}", "s", [max(gaps)], bars=bar(worst_s)),
        Row(f"{name}: failed sends", "", [sum(len(fault.failed) for fault in found)], bars=bar(failed_max)),
    ]  # fmt: skip


@contextmanager
def _loaded_group(folder: Path) -> Iterator[tuple[Group, SendingClient]]:
    with local_group(folder) as group, sending_client(_addresses_of_route(group), folder) as client:
        yield group, client


def failover(setup: Setup) -> list[Row]:
    """Kills and pauses of the leader as an official client sees them; elections while nothing fails."""
    with data_folder(setup.parent) as folder, _loaded_group(folder) as (group, client):
        # Every second one kills the node that the client is connected to, so that it must also find another.
        kills = _faults(group, client, "kill -9", _kill, [number % 2 == 1 for number in range(setup.faults)])
        pauses = _faults(group, client, "pause", _pause, [False] * setup.faults)
        own_pauses = _faults(group, client, "pause", _pause, [True] * max(1, setup.faults // 4))
    by_place = {place: [fault.gap_s for fault in kills if fault.is_own == is_own] for place, is_own in
                (("another node", False), ("the client's own node", True))}  # fmt: skip
    progress("  median gap of kills: " + "; ".join(f"{place} {median(gaps):.3f} s" for place, gaps in by_place.items() if gaps))
    return [
        *_rows("official client, leader killed -9", kills, median_s=0.2, worst_s=0.5, failed_max=0),
        *(Row(f"of these, {place} killed", "s", gaps) for place, gaps in by_place.items() if gaps),
        *_rows("official client by another node, leader paused", pauses, median_s=1.0, worst_s=2.0, failed_max=None),
        *_rows("official client of the paused leader itself", own_pauses, median_s=None, worst_s=None, failed_max=None),
        *steady(setup),
    ]
