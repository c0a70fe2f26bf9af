"""Prints runs of `mq.sim.replication.failures`, for people."""

import argparse
import sys

from mq.sim.replication.failures import FAILURES, run_failure

__all__: list[str] = []


def _main() -> int:
    parser = argparse.ArgumentParser(prog="python -m mq.sim.replication", description="How a master and its slaves fail.")
    parser.add_argument("name", nargs="?", choices=[failure.name for failure in FAILURES], help="one of them, line by line")
    parser.add_argument("--seed", type=int, help="another run than the one that is named")
    given = parser.parse_args()
    if given.name is None:
        _say(*(f"{failure.name:<20} seed {failure.seed:<4} {failure.what}" for failure in FAILURES))
        return 0
    failure = next(one for one in FAILURES if one.name == given.name)
    world = run_failure(failure, given.seed)
    _say(failure.what, f"{world.options.nodes} nodes, {failure.copy} copy, seed {world.seed}", *world.lines)
    return 0


def _say(*lines: str) -> None:
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    sys.exit(_main())
