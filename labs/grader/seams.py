"""What an organ is to the grader: its class, its methods with what they return, and what it shows of itself.

The signatures are read off a class of ours (the reference, or a Protocol), so that there is one truth about a seam. The
organ's own class need not be there where the student's code runs.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cache, cached_property
from typing import Any, NamedTuple, Protocol, get_args, get_origin, get_type_hints

from labs.grader.decoding import Decode, checked_read, decoder_of
from mq.core.ports import Disk, Steps

__all__ = ["NO_CODE", "Call", "Elsewhere", "Make", "Method", "Readable", "Seam", "at_once", "drive_on", "made_beside", "made_by"]

Make = Callable[..., Any]
"""Makes an organ as its class would: `make(segment_bytes=2048)`. See also `made_by`."""
_PLAIN = frozenset({int, str, bytes, bool, float, type(None)})


class Readable(Disk, Protocol):
    """A disk whose files can be had as a whole."""

    def contents(self) -> Mapping[str, bytes]:
        """Every file with what a read sees of it."""


class Call(NamedTuple):
    """A method to be called."""

    name: str
    args: tuple[Any, ...] = ()
    named: Mapping[str, Any] = {}


class Elsewhere:
    """What an organ in another process is made of: it is asked for several things in one crossing.

    It is known by this class, and not by the names of its methods: a student's own class may have a method `at_once`.
    """

    def at_once(self, calls: Sequence[Call], files: Mapping[str, bytes]) -> list[Any]:
        """What `at_once` comes to. files: what those that read find there."""
        raise NotImplementedError

    def driven(self, name: str, files: Mapping[str, bytes], *args: Any) -> Any:
        """What `drive_on` comes to. files: what is read from."""
        raise NotImplementedError

    def beside(self, *args: Any, **named: Any) -> Any:
        """What `made_beside` comes to."""
        raise NotImplementedError


def drive_on(organ: Any, name: str, disk: Readable, *args: Any) -> Any:
    """Call a method that reads, and answer its reads from a disk, to its end.

    An organ in another process gets the files along with the call, which is quicker; `mq.core.ports.drive` asks for each read.
    """
    if isinstance(organ, Elsewhere):
        return organ.driven(name, disk.contents(), *args)
    return _driven(getattr(organ, name)(*args), disk)


def _driven(steps: Steps[Any], disk: Disk) -> Any:
    """As `mq.core.ports.drive`, but what no real disk can answer is refused, as it is at the border. Raises: MisfitError."""
    try:
        wanted = next(steps)
        while True:
            wanted = steps.send(disk.read(checked_read(wanted)))
    except StopIteration as done:
        return done.value


def at_once(organ: Any, calls: Sequence[Call], disk: Readable | None = None) -> list[Any]:
    """What these calls, one after the other, come to. An organ in another process is asked for all of them in one crossing.

    disk: what answers those that read; without one, none of them may. Raises: what the first one raises that does.
    """
    if isinstance(organ, Elsewhere):
        return organ.at_once(calls, {} if disk is None else disk.contents())
    return [_as_now(_done(getattr(organ, call.name)(*call.args, **call.named), disk)) for call in calls]


def _done(found: Any, disk: Readable | None) -> Any:
    return _driven(found, disk) if isinstance(found, Generator) and disk is not None else found


def _as_now(value: Any) -> Any:
    """A copy of what an organ may go on to change."""
    kind: type = type(value)
    if kind in _PLAIN:  # most are: it is asked a hundred times for each answer
        return value
    if kind in (list, tuple):
        return kind(map(_as_now, value))
    if isinstance(value, Mapping):
        return {key: _as_now(one) for key, one in value.items()}
    names = _names(kind)
    return value if names is None else kind(*[getattr(value, name) for name in names])


@cache
def _names(kind: type) -> tuple[str, ...] | None:
    """The fields of a dataclass; None for any other class."""
    return tuple(each.name for each in fields(kind)) if is_dataclass(kind) else None


def made_by(make: Make, maker: str, *args: Any, **named: Any) -> Any:
    """An organ, made by one of the seam's other makers."""
    return getattr(make, maker)(*args, **named)


def made_beside(organ: Any, make: Make, *args: Any, **named: Any) -> Any:
    """An organ in the process of another one, as those of one broker are. What `make` makes lives in several, in turn."""
    return organ.beside(*args, **named) if isinstance(organ, Elsewhere) else make(*args, **named)


@dataclass(frozen=True, slots=True)
class Method:
    """decode: of what it returns. is_steps: whether it is a generator that yields what it wants to read; decode_read: of that."""

    decode: Decode
    is_steps: bool = False
    decode_read: Decode | None = None


@dataclass(frozen=True)
class Seam:
    """organ: a class of ours with the signatures. name: what the student's class is called; module: its file without `.py`.

    observed: properties that every answer brings along. classes: what may cross besides numbers, text and bytes.
    makers: class methods that make one in another way. inside: `MODULE:Class` of ours that holds the student's class over there
    and is called in its place; it is made as `Class(the student's class, ...)`.
    """

    organ: type
    name: str
    module: str
    methods: Sequence[str]
    observed: Sequence[str]
    classes: Sequence[type] = field(default=())
    makers: Sequence[str] = field(default=())
    inside: str = ""

    @cached_property
    def signatures(self) -> dict[str, Method]:
        """Of all methods, by name."""
        return {name: _method_of(get_type_hints(getattr(self.organ, name))["return"]) for name in self.methods}

    @cached_property
    def properties(self) -> dict[str, Decode]:
        """Of all that is observed, by name."""
        found = {}
        for name in self.observed:
            getter: Any = getattr(self.organ, name).fget
            found[name] = decoder_of(get_type_hints(getter)["return"])
        return found


NO_CODE = Seam(object, "", "", (), ())
"""Of a lab in which texts alone are handed in: nothing of a student's runs."""


def _method_of(returns: Any) -> Method:
    if get_origin(returns) is Generator:
        wanted, _, result = get_args(returns)
        return Method(decoder_of(result), is_steps=True, decode_read=decoder_of(wanted))
    return Method(decoder_of(returns))
