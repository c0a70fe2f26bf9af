"""The demo: orders through a group of three real brokers, whose leader is killed in mid-stream, and nobody notices.

Six processes: three brokers, with a proxy between them, an official producer and an official push consumer; and this one,
which kills the broker that leads with SIGKILL when half of the orders are acknowledged, and later starts it again.
"""

import argparse
import os
import shutil
import sys
from pathlib import Path

from mq.cli.demo_picture import draw_demo, draw_election
from mq.cli.demo_record import FAILED, gap_ms, lost_of, read_record
from mq.cli.demo_show import Demo, DemoError, say
from mq.cli.failing import tidy_end

__all__ = ["main"]

_COUNT_MIN = 8
_FOLDER = Path(".mq") / "demo"
_MARKER = ".raftmq-demo"
"""A file that says: this folder was made by the demo, so the next one may clear it."""


def _clear(folder: Path) -> None:
    """An empty folder for this run. Only what an earlier demo left is deleted. Raises: DemoError."""
    if folder.exists() and not folder.is_dir():
        raise DemoError(f"--dir: {folder} is a file, not a folder")
    try:
        is_ours = (folder / _MARKER).exists() or folder.resolve() == _FOLDER.resolve()
        if folder.exists():
            if not is_ours and any(folder.iterdir()):
                raise DemoError(f"--dir: {folder} is not empty and no earlier demo made it; give another folder, or empty it")
            for inner in folder.iterdir():
                shutil.rmtree(inner) if inner.is_dir() and not inner.is_symlink() else inner.unlink()
        (folder / "home").mkdir(parents=True)
        (folder / _MARKER).write_text("Made by `run.py demo`, which may delete all in this folder.\n", encoding="utf-8")
    except OSError as error:
        raise DemoError(f"--dir: {error.filename or folder}: {error.strerror}") from None


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
    gap = gap_ms(acked, demo.killed_ms)
    # Where matplotlib keeps its list of fonts, otherwise below the home folder; it is kept for the next demo.
    os.environ.setdefault("MPLCONFIGDIR", str((_FOLDER.parent / "matplotlib").absolute()))
    say("6. drawing what happened")
    draw_demo(demo.folder / "demo.png", acked, consumed, demo.killed_ms, demo.killed)
    election = draw_election(demo.folder / "election.png", demo.traces, demo.killed_trace_ms, demo.killed)
    waited = "none, all orders were sent before it: ask for more by --count" if gap is None else f"{gap / 1000:.3f} s"
    print(f"orders acknowledged by the brokers  {len(acked)}")
    print(f"orders consumed                     {orders}")
    print(f"sends that failed                   {len(failed)}")
    print(f"acknowledged orders lost            {len(lost)}")
    twice = f"{len(consumed) - orders}  (at least once is the promise; consumers must be idempotent)"
    print(f"consumed more than once             {twice}")
    print(f"gap around the kill                 {waited}  (the longest time without an acknowledgement)")
    print(f"pictures                            {demo.folder / 'demo.png'}, {election}")
    return not lost and not failed and len(acked) == demo.count


def main(arguments: list[str] | None = None) -> int:
    """Show the demo; 0 when no send failed and nothing acknowledged was lost."""
    parser = argparse.ArgumentParser(prog="run.py demo", description=__doc__)
    parser.add_argument("--count", type=_count, default=1200, help=f"orders to send, {_COUNT_MIN} or more (1200)")
    parser.add_argument(
        "--dir",
        type=Path,
        default=_FOLDER,
        help="where data, logs and picture go: a new or empty folder, or an earlier demo's (.mq/demo)",
    )
    options = parser.parse_args(arguments)
    try:
        _clear(options.dir)
    except DemoError as error:
        say(f"run.py demo: {error}")
        return 2
    demo = Demo(options.dir, options.count)
    try:
        with tidy_end():
            _show(demo)
            is_good = _summary(demo)
    except DemoError as error:
        say(f"the demo failed: {error}")
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        demo.stop()
    print("no send failed, and nothing that was acknowledged is lost" if is_good else "FAILED: see the figures")
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
