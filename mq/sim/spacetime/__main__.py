"""`python -m mq.sim.spacetime --trace FILE --out X.png`: draw a recorded trace.

Exit status: 0 drawn, 1 there is nothing to draw or too much, 2 wrong usage.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from mq.sim.arguments import read_count
from mq.sim.group.events import GROUP_EVENTS
from mq.sim.spacetime import NothingToDrawError, PictureTooLongError, Window, draw
from mq.sim.trace import EVENTS, Event

__all__ = ["main", "read_trace"]

_SUFFIXES = (".png", ".svg", ".html")
_OF_A_BROKER = EVENTS.keys() - GROUP_EVENTS.keys()
"""What only the trace of a single broker tells (`run.py sim --profile broker`)."""


def read_trace(text: str, name: str = "") -> list[Event]:
    """The events of a trace; headings, remarks (#) and empty lines are passed over. name: of its file, for errors.

    Raises: ValueError, naming the line, for what is none, and for what is the trace of a single broker.
    """
    of_file = f"{name}, " if name else ""
    events = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#") or words[:2] == ["time", "node"]:
            continue
        try:
            events.append(Event.from_line(line))
        except ValueError as error:
            raise ValueError(f"{of_file}line {number} is no event: {line[:60]!r}") from error
        if events[-1].name in _OF_A_BROKER:
            raise ValueError(
                f"{of_file}line {number}: this is the trace of a single broker, to which {events[-1].name!r} happens, and not of "
                "a Raft group. Its power loss is drawn by run.py sim --profile broker --seed N --draw FILE"
            )
    return events


def _picture(text: str) -> Path:
    path = Path(text)
    if path.suffix.lower() not in _SUFFIXES:
        raise argparse.ArgumentTypeError(f"the picture's name ends in {', '.join(_SUFFIXES)}, not {text!r}")
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {path.parent}")
    return path


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m mq.sim.spacetime", description="Draw the trace of a group in space and time."
    )
    parser.add_argument("--trace", type=Path, required=True, metavar="FILE", help="lines of a trace; - for standard input")
    parser.add_argument("--out", type=_picture, required=True, metavar="FILE", help="picture to write: .png, .svg or .html")
    parser.add_argument("--title", default="", help="heading of the picture")
    parser.add_argument("--from", dest="from_ms", type=int, metavar="MS", help="begin at this virtual time")
    parser.add_argument("--to", dest="to_ms", type=int, metavar="MS", help="end at this virtual time")
    parser.add_argument("--from-event", type=int, metavar="N", help="begin at this event, counted from 1")
    parser.add_argument("--to-event", type=int, metavar="N", help="end at this event")
    parser.add_argument("--last", type=read_count, metavar="N", help="only the last N moments of all this")
    parser.add_argument("--around", dest="around_ms", type=int, metavar="MS", help="not the last moments, but those around this")
    parser.add_argument("--nodes", metavar="n1,n2", help="only these nodes")
    parser.add_argument("--heartbeats", action="store_true", help="draw those, too, of which nothing came")
    parser.add_argument(
        "--scale", type=float, default=0.0, metavar="PIXELS", help="draw time to scale: so many pixels for each ms"
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status."""
    options = _parser().parse_args(arguments)
    window = Window(
        from_ms=options.from_ms, to_ms=options.to_ms, from_event=options.from_event, to_event=options.to_event,
        last=options.last, around_ms=options.around_ms, nodes=tuple(options.nodes.split(",")) if options.nodes else None,
        has_heartbeats=options.heartbeats, pixels_per_ms=options.scale,
    )  # fmt: skip
    name = "standard input" if str(options.trace) == "-" else str(options.trace)
    try:
        draw(options.out, read_trace(_text(options.trace, name), name), options.title, window)
    except (PictureTooLongError, NothingToDrawError) as error:
        return _refuse(str(error), 1)
    except KeyError as error:
        return _refuse(f"{name}: an event of the trace lacks the detail {error}", 2)
    except ValueError as error:
        return _refuse(str(error), 2)
    except OSError as error:
        return _refuse(f"cannot write {options.out}: {error.strerror}", 2)
    return 0


def _text(trace: Path, name: str) -> str:
    """Raises: ValueError, in a sentence, when it cannot be read."""
    try:
        return sys.stdin.read() if str(trace) == "-" else trace.read_text(encoding="utf-8")
    except OSError as error:
        raise ValueError(f"cannot read {trace}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{name} is no text, and so no trace") from error


def _refuse(sentence: str, status: int) -> int:
    sys.stderr.write(sentence + "\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
