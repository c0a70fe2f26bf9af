"""The demo: orders through two groups of real brokers; the leader of one is killed in mid-stream, and nobody notices.

Ten processes: six brokers, a registry by which clients find them, an official producer and an official push consumer; and this
one, which kills a broker that leads with SIGKILL when half of the orders are acknowledged, and later starts it again.
"""

import argparse
import os
import sys
import time
from collections import Counter
from pathlib import Path

from mq.cli.demo_folder import DEFAULT_FOLDER, FolderError, own_folder
from mq.cli.demo_picture import draw_demo, draw_election
from mq.cli.demo_record import FAILED, gap_ms, lost_of, read_record
from mq.cli.demo_show import Demo, DemoError, say
from mq.cli.failing import tidy_end

__all__ = ["main"]

_COUNT_MIN = 8


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < _COUNT_MIN:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from {_COUNT_MIN} on")
    return int(text)


def _show(demo: Demo) -> None:
    demo.show()


def _summary(demo: Demo) -> bool:
    """Figures and pictures; whether every promise was kept."""
    acked, consumed = read_record(demo.folder / "produce.txt"), read_record(demo.folder / "consume.txt")
    failed = read_record(demo.folder / "produce.txt", FAILED)
    lost, orders = lost_of(acked, consumed), len({record.order for record in consumed})
    gap = gap_ms([record for record in acked if record.broker == demo.group], demo.killed_ms)
    other = gap_ms([record for record in acked if record.broker != demo.group], demo.killed_ms)
    shares = Counter(record.broker for record in acked)
    # Where matplotlib keeps its list of fonts, otherwise below the home folder; it is kept for the next demo.
    os.environ.setdefault("MPLCONFIGDIR", str((DEFAULT_FOLDER.parent / "matplotlib").absolute()))
    say("6. drawing what happened")
    draw_demo(demo.folder / "demo.png", acked, consumed, demo.killed_ms, demo.killed)
    election = draw_election(demo.folder / "election.png", demo.traces, demo.killed_trace_ms, demo.killed)
    waited = "none, all orders were sent before it: ask for more by --count" if gap is None else f"{gap / 1000:.3f} s"
    print(f"orders acknowledged by the brokers  {len(acked)}")
    print(f"by group                            {', '.join(f'{name} {shares[name]}' for name in sorted(shares))}")
    print(f"orders consumed                     {orders}")
    print(f"sends that failed                   {len(failed)}")
    print(f"acknowledged orders lost            {len(lost)}")
    twice = f"{len(consumed) - orders}  (at least once is the promise; consumers must be idempotent)"
    print(f"consumed more than once             {twice}")
    print(f"gap around the kill                 {waited}  (the longest time without an acknowledgement by that group)")
    if other is not None:
        print(f"the same of the other group         {other / 1000:.3f} s")
    print(f"pictures                            {demo.folder / 'demo.png'}, {election}")
    if gap is None:
        print("nothing was shown: the leader was not killed in mid-stream, but when all orders had been sent")
    return not lost and not failed and len(acked) == demo.count and gap is not None


def _run(demo: Demo, began_s: float) -> int:
    """From the first broker to the end of the last; the exit status. began_s: when all of it began, by the monotonic clock."""
    try:
        _show(demo)
        is_good = _summary(demo)
    except DemoError as error:
        say(f"the demo failed: {error}")
        return 1
    finally:
        demo.stop()
    print(f"seconds in all                      {time.monotonic() - began_s:.1f}  (making the environment not among them)")
    print("no send failed, and nothing that was acknowledged is lost" if is_good else "FAILED: see the figures")
    return 0 if is_good else 1


def main(arguments: list[str] | None = None) -> int:
    """Show the demo; 0 when no send failed and nothing acknowledged was lost, though a leader was killed in mid-stream."""
    began_s = time.monotonic()
    parser = argparse.ArgumentParser(prog="run.py demo", description=__doc__)
    parser.add_argument("--count", type=_count, default=1200, help=f"orders to send, {_COUNT_MIN} or more (1200)")
    parser.add_argument(
        "--dir",
        type=Path,
        default=DEFAULT_FOLDER,
        help="where data, logs and picture go: a new or empty folder, or an earlier demo's (.mq/demo); DIR.lock keeps others out",
    )
    options = parser.parse_args(arguments)
    try:
        with tidy_end(), own_folder(options.dir):
            return _run(Demo(options.dir, options.count), began_s)
    except FolderError as error:
        say(f"run.py demo: {error}")
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
