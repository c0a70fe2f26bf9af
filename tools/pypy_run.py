"""Runs seeds of a Raft group and prints a line for each; started by `tools/pypy.py`, and read by Python 3.9, too.

pypy_run.py seeds FIRST BEHIND STEP STEPS FILE:Class      the notes of `mq.sim.group.seeds`
pypy_run.py traces FIRST BEHIND STEP STEPS FILE:Class     a digest of each whole trace
"""

import hashlib
import sys
from functools import lru_cache

from mq.sim.group import seeds

# The same class for all seeds: with a new one for each, PyPy begins anew each time.
seeds.load_raft = lru_cache(seeds.load_raft)  # type: ignore[attr-defined]


def main() -> None:
    """See above."""
    first, behind, step, steps = map(int, sys.argv[2:6])
    for seed in range(first, behind, step):
        if sys.argv[1] == "seeds":
            print(seeds.run_seed(seed, steps, sys.argv[6]).to_line(), flush=True)
        else:
            world = seeds.make_world(seed, steps, sys.argv[6])
            world.run()
            print(seed, hashlib.sha256(world.trace.to_text().encode()).hexdigest())


if __name__ == "__main__":
    main()
