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
        for failure in FAILURES:
            print(f"{failure.name:<20} seed {failure.seed:<4} {failure.what}")  # noqa: T201 - it is what this is for
        return 0
    failure = next(one for one in FAILURES if one.name == given.name)
    world = run_failure(failure, given.seed)
    print(f"{failure.what}\n{world.options.nodes} nodes, {failure.copy} copy, seed {world.seed}")  # noqa: T201 - as above
    print("\n".join(world.lines))  # noqa: T201 - as above
    return 0


if __name__ == "__main__":
    sys.exit(_main())
