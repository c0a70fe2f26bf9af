"""Full load without any fault: nobody may be elected meanwhile."""

import json
import subprocess
import time
from statistics import fmean

from bench.common import data_folder, spawn, stop
from bench.figures import Result, Setup, progress
from bench.local_group import Group, local_group
from bench.table import Bar, Row

__all__ = ["steady"]

_PORTION_S = 60.0
_GRACE_S = 120.0
_SETTINGS = {"retention_bytes": "1GiB"}
"""So that the disk does not fill, however long it takes; and dropping old segments is part of the load."""


def _together(commands: dict[str, list[str]], limit_s: float) -> dict[str, Result]:
    """Run client processes at the same time. One that fails is told of and has no result; what it meets is part of the load."""
    running = {name: spawn(["-m", *command], stdout=subprocess.PIPE) for name, command in commands.items()}
    results: dict[str, Result] = {}
    try:
        end = time.monotonic() + limit_s
        for name, process in running.items():
            try:
                output, _ = process.communicate(timeout=max(0.0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                progress(f"  {name}: no end within {limit_s:g} s")
                continue
            if process.returncode == 0:
                results[name] = json.loads(output.strip().splitlines()[-1])
            else:
                progress(f"  {name} ended with exit code {process.returncode}")
    finally:
        for process in running.values():
            stop(process, grace_s=1.0)
    return results


def _portion(group: Group, setup: Setup, seconds: float) -> dict[str, Result]:
    """Batches at the leader, and 64 callers of single sends through a follower, both as fast as they go."""
    leader, follower = group.leader(), group.followers()[0]
    commands = {
        "batches": ["bench.batches", "send", leader.endpoint, "--window", str(setup.window), "--seconds", str(seconds)],
        "singles": ["bench.callers", "send", follower.endpoint, "--callers", "64", "--seconds", str(seconds)],
    }
    return _together(commands, seconds + _GRACE_S)


def steady(setup: Setup) -> list[Row]:
    """Elections in so many minutes of full load, by the nodes' terms; the rates that the load reached are shown beside it."""
    seconds, loads = setup.minutes * 60, list[dict[str, Result]]()
    with data_folder(setup.parent) as folder, local_group(folder, settings=_SETTINGS) as group:
        group.await_whole()
        before, begin = group.term(), time.monotonic()
        while (left := begin + seconds - time.monotonic()) > 0:
            loads.append(_portion(group, setup, min(left, _PORTION_S)))
            elections = group.term() - before
            rates = ", ".join(f"{name} {_rate(result):,.0f}/s" for name, result in loads[-1].items())
            progress(
                f"  full load, {(time.monotonic() - begin) / 60:.1f} of {setup.minutes:g} minutes: {rates}, {elections} elections"
            )
        elections = group.term() - before
    rates_of = {name: [_rate(load[name]) for load in loads if name in load] for name in ("batches", "singles")}
    names = {"batches": "batches at the leader", "singles": "64 callers through a follower"}
    return [
        Row(
            f"elections in {setup.minutes:g} minutes of full load",
            "",
            [elections],
            bars=[Bar("value", "at most", 0)],
            details=loads,
        ),
        *(Row(f"this load: {names[name]}", "messages/s", [fmean(rates)]) for name, rates in rates_of.items() if rates),
    ]


def _rate(result: Result) -> float:
    return float(result["messages_per_s" if "messages_per_s" in result else "per_s"])
