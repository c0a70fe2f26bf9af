"""A student's organ in another process, used as if it were here.

Methods are called, what comes back is checked by the seam, and methods that read are generators of `Read`s on both
sides: the worker says what it wants to read, the caller answers with bytes. What an organ raises is raised here again,
if it is one of our errors.
"""

import hashlib
import math
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from functools import partial
from itertools import count
from typing import Any, NamedTuple, TypeAlias

from labs.grader.decoding import MisfitError
from labs.grader.inside.encoding import Encoding, quoted, written_list, written_object
from labs.grader.process import CALL_SECONDS_MAX, ProcessGoneError, WorkerProcess
from labs.grader.seams import Call, Elsewhere, Method, Seam
from mq.core import errors

__all__ = [
    "Answered", "Asked", "EndlessError", "NotImportedError", "OrganRaisedError", "RemoteMaker", "RemoteOrgan", "WrongTypeError",
    "opening_of",
]  # fmt: skip

_ERRORS: dict[str, type[errors.MqError]] = {
    kind.__name__: kind for kind in (errors.StateError, errors.FormatError, errors.DamageError, errors.DiskFullError)
}
_TEXT_MAX = 400
_READS_MAX = 50_000
_ASKED_BYTES_MAX = 16 << 20
"""Of the requests of a run that are kept, to be repeated."""
_BEGINNING_BYTES_MAX = 1000
"""Of each answer: a schedule has some thousands of them, and all are kept until it was run a second time."""


class OrganRaisedError(Exception):
    """A student's code raised something that is none of our errors. kind: its class; place: the student's own line, if any.

    code: the line that Python could not read, and a sign below it.
    """

    def __init__(self, kind: str, text: str, place: str, code: str = "") -> None:
        super().__init__(f"{kind}: {text}" if text else kind)
        self.kind, self.text, self.place, self.code = kind, text, place, code


class NotImportedError(OrganRaisedError):
    """A student's files cannot be imported, or hold no such class: none of the tests can ask for anything."""


class WrongTypeError(Exception):
    """What came back is not what the seam says."""


class EndlessError(WrongTypeError):
    """A method that reads went on reading."""


def opening_of(seam: Seam, package: str) -> dict[str, Any]:
    """What the worker is told first."""
    return {
        "classes": [[kind.__module__, kind.__qualname__] for kind in seam.classes],
        "organ": [f"{package}.{seam.module}", seam.name],
        "observed": list(seam.observed),
        "inside": seam.inside.split(":") if seam.inside else [],
    }


def _text(value: Any) -> str:
    """Such as any file can hold: JSON can say halves of characters that nothing can write."""
    return value[:_TEXT_MAX].encode("utf-8", "replace").decode() if type(value) is str else ""


def _error_of(raised: Any, what: str) -> Exception:
    """Of what was raised there, as it is raised here. One of our errors says in a note who raised it, and where."""
    if type(raised) is not dict:
        return WrongTypeError(f"{what} came back with something that is no plain data")
    kind, text, place = _text(raised.get("type")), _text(raised.get("text")), _text(raised.get("place"))
    details = raised.get("details")
    if kind not in _ERRORS or type(details) is not dict:
        return OrganRaisedError(kind or "something", text, place, _text(raised.get("code")))
    note = f"{what} ({place})" if place else what
    if kind != "DamageError":
        return _noted(_ERRORS[kind](text), note)
    file, at, reason, position = (details.get(name) for name in ("file", "at", "reason", "position"))
    if type(file) is not str or type(at) is not int or type(reason) is not str or type(position) not in (int, type(None)):
        return WrongTypeError(
            f"{what} raised a DamageError whose file, at, reason and position are not str, int, str, int or None"
        )
    return _noted(errors.DamageError(_text(file), at, _text(reason), position), note)


def _noted(error: errors.MqError, note: str) -> errors.MqError:
    error.add_note(note)
    return error


class Answered(NamedTuple):
    """What is kept of an answer: the method, a fingerprint of all that came back, and the beginning of it, to be shown."""

    name: str
    fingerprint: bytes
    beginning: bytes

    @classmethod
    def of(cls, name: str, said: bytes) -> "Answered":
        """said: the answer as it came, but for its id."""
        return cls(name, hashlib.blake2b(said, digest_size=8).digest(), said[:_BEGINNING_BYTES_MAX])


Asked: TypeAlias = list[tuple[int, bytes]]
"""What was asked in a run: the number of the worker, and the request."""


class RemoteMaker:
    """Makes organs in workers, the next one always in another, and keeps the record of all answers.

    So what a class keeps beside its objects, in its module say, is gone in the next life, as it is after a real crash.
    record: of each answer since `begin`: two runs of the same seed must leave the same. asked: what they answer.
    """

    def __init__(self, seam: Seam, *workers: WorkerProcess) -> None:
        self.seam, self.workers = seam, workers
        self.encoding = Encoding(seam.classes)
        self.record: list[Answered] = []
        self.asked: Asked = []
        self._asked_bytes = 0
        self.garbage: dict[WorkerProcess, list[int]] = {worker: [] for worker in workers}
        self.until = math.inf
        """When a test must be over, by the monotonic clock."""
        self.numbers, self.lives = count(1), count(1)
        for worker in workers:
            if "raised" in worker.opened:
                error = _error_of(worker.opened["raised"], "the import")
                if isinstance(error, OrganRaisedError):
                    raise NotImportedError(error.kind, error.text, error.place, error.code)
                raise error

    def begin(self) -> None:
        """A new run."""
        self.record, self.asked, self._asked_bytes = [], [], 0

    @property
    def make(self) -> "RemoteClass":
        """The student's class, to make objects of."""
        return RemoteClass(self)

    def arguments(self, args: Any, named: dict[str, Any]) -> tuple[str, str]:
        """As they cross: a list and an object of JSON."""
        encode = self.encoding.encode
        return written_list(map(encode, args)), written_object({name: encode(value) for name, value in named.items()})

    def ask(self, organ: "RemoteOrgan", name: str, request: dict[str, str], calls: Sequence[Call] = ()) -> dict[str, Any]:
        """One request about one object; what it shows of itself is kept. request: each value is JSON. calls: that are in it.

        Raises: what it raised; ProcessGoneError; WrongTypeError.
        """
        worker = organ.worker
        if self.garbage[worker]:
            request["drop"], self.garbage[worker] = repr(self.garbage[worker]), []
        request["object"] = repr(organ.remote_number)
        if organ.unmade is not None:
            request["make"], organ.unmade = organ.unmade, None
        if time.monotonic() > self.until:
            self.end()
            raise ProcessGoneError(f"`{name}`: the test takes too long; something in it is slow, or never comes to its end")
        try:
            answer = worker.ask_written(written_object(request).encode())
        except ProcessGoneError as error:
            raise ProcessGoneError(f"`{name}`: {error}") from None
        seen = answer.get("seen")
        self._asked_bytes += len(worker.last_asked)
        if self._asked_bytes <= _ASKED_BYTES_MAX:
            self.asked.append((self.workers.index(worker), worker.last_asked))
        self.record.append(Answered.of(name, worker.last_said))
        if type(seen) is list and len(seen) == len(self.seam.observed):
            organ.seen = seen
        if "raised" in answer:
            at = answer.get("at")
            if type(at) is int and 0 <= at < len(calls):
                name = calls[at].name
            raise _error_of(answer["raised"], f"`{name}`")
        return answer

    def repeated(self, asked: Asked) -> Iterator[bytes]:
        """What these workers say to what others were asked: each answer as it comes, in the order of the requests.

        Raises: ProcessGoneError.
        """
        if not (asked and self.workers):
            return
        each = [
            worker.ask_again([request for number, request in asked if number == at]) for at, worker in enumerate(self.workers)
        ]
        for number, _ in asked:
            if time.monotonic() > self.until:
                self.end()
                raise ProcessGoneError("the test takes too long; something in it is slow, or never comes to its end")
            yield next(each[number])

    def end(self) -> None:
        """All workers are gone."""
        for worker in self.workers:
            worker.end()

    @property
    def printed(self) -> str:
        """The end of what the student's code printed."""
        return "".join(worker.printed for worker in self.workers)

    def sweep(self, module: str, number: str, seeds: Sequence[int]) -> list[int]:
        """Seeds of a test that failed inside of the student's process. Raises: ProcessGoneError, WrongTypeError."""
        if time.monotonic() > self.until:
            raise ProcessGoneError("the test takes too long")
        request = {"do": "sweep", "module": module, "number": number, "seeds": list(seeds)}
        answer = self.workers[0].ask(request, len(seeds) * CALL_SECONDS_MAX)
        found = answer.get("value")
        if type(found) is not list or not all(type(seed) is int and seed in seeds for seed in found):
            raise WrongTypeError(
                f"the schedules could not be run inside of your process: {_text(str(answer.get('raised', found)))}"
            )
        return found

    def read(self, decode: Callable[[Any, str], Any], plain: Any, what: str, verb: str = "returned") -> Any:
        """A value by what the seam says. Raises: WrongTypeError, in a sentence."""
        try:
            return decode(plain, "")
        except MisfitError as misfit:
            where = f"something whose `{misfit.where.removeprefix('.')}` is " if misfit.where else ""
            raise WrongTypeError(f"{what} {verb} {where}{misfit.found}, expected {misfit.expected}") from None
        except (ValueError, TypeError, RecursionError) as error:
            raise WrongTypeError(f"{what} {verb} what cannot be: {error}") from None


class RemoteClass:
    """Stands for the student's class: called, it makes an object, and so do those class methods that the seam knows.

    An object is made with its first call, which raises what the making raises.
    """

    def __init__(self, maker: RemoteMaker) -> None:
        self._maker = maker

    def __call__(self, *args: Any, **named: Any) -> "RemoteOrgan":
        return self._made("", *args, **named)

    def __getattr__(self, name: str) -> Any:
        if name not in self._maker.seam.makers:
            raise AttributeError(name)
        return partial(self._made, name)

    def _made(self, by: str, *args: Any, **named: Any) -> "RemoteOrgan":
        made = written_list((*self._maker.arguments(args, named), quoted(by)))
        beside = next((one.worker for one in args if isinstance(one, RemoteOrgan)), None)
        return RemoteOrgan(self._maker, next(self._maker.numbers), made, beside)


class RemoteOrgan(Elsewhere):
    """One object of the student's class. unmade: `make` of the request that makes it.

    worker: where another object is that it is made of; None for the next one.
    """

    def __init__(self, maker: RemoteMaker, number: int, unmade: str, worker: WorkerProcess | None = None) -> None:
        self._maker = maker
        self.worker = worker or maker.workers[next(maker.lives) % len(maker.workers)]
        self.remote_number = number
        self.unmade: str | None = unmade
        self.seen: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        maker = self._maker
        if name in maker.seam.properties:
            return self._property(name)
        method = maker.seam.signatures.get(name)
        if method is None:
            raise AttributeError(name)
        return partial(self._steps if method.is_steps else self._call, name, method)

    def beside(self, *args: Any, **named: Any) -> "RemoteOrgan":
        """Another object of its class, in the same process. See `labs.grader.seams.made_beside`."""
        made = written_list((*self._maker.arguments(args, named), quoted("")))
        return RemoteOrgan(self._maker, next(self._maker.numbers), made, self.worker)

    def _property(self, name: str) -> Any:
        if self.unmade is not None:
            self._maker.ask(self, "__init__", {"do": '"new"'})
        at = self._maker.seam.observed.index(name)
        shown = self.seen[at] if at < len(self.seen) else None
        if type(shown) is not dict or not ("value" in shown or "raised" in shown):
            raise WrongTypeError(f"`{name}` shows something that is no plain data")
        if "raised" in shown:
            raise _error_of(shown["raised"], f"`{name}`")
        return self._maker.read(self._maker.seam.properties[name], shown["value"], f"`{name}`", "is")

    def _call(self, name: str, method: Method, *args: Any, **named: Any) -> Any:
        answer = self._maker.ask(self, name, self._request("call", name, args, named))
        return self._maker.read(method.decode, answer.get("value"), f"`{name}`")

    def _request(self, do: str, name: str, args: Any, named: dict[str, Any]) -> dict[str, str]:
        written, named_written = self._maker.arguments(args, named)
        return {"do": quoted(do), "name": quoted(name), "args": written, "named": named_written}

    def at_once(self, calls: Sequence[Call], files: Mapping[str, bytes]) -> list[Any]:
        """Several calls in one crossing. See `labs.grader.seams.at_once`."""
        maker = self._maker
        asked = (written_list((quoted(call.name), *maker.arguments(call.args, dict(call.named)))) for call in calls)
        request = {"do": '"calls"', "calls": written_list(asked)}
        if files:
            request["files"] = maker.encoding.encode(dict(files))
        found = maker.ask(self, calls[0].name, request, calls).get("value")
        if type(found) is not list or len(found) != len(calls):
            raise WrongTypeError(f"`{calls[0].name}` came back with something that is no plain data")
        return [self._read(call.name, one) for call, one in zip(calls, found, strict=True)]

    def _read(self, name: str, found: Any) -> Any:
        """What one of several calls came to."""
        maker, method = self._maker, self._maker.seam.signatures[name]
        if method.is_steps:
            answer = found.get("driven") if type(found) is dict else None
            return self._end_of_steps(name, method, answer if type(answer) is dict else {"is_plain": True})
        return maker.read(method.decode, found, f"`{name}`")

    def driven(self, name: str, files: Mapping[str, bytes], *args: Any) -> Any:
        """A method that reads, to its end, with what lies on the disk sent along. See `labs.grader.seams.drive_on`."""
        maker = self._maker
        request = {**self._request("drive", name, args, {}), "files": maker.encoding.encode(dict(files))}
        return self._end_of_steps(name, maker.seam.signatures[name], maker.ask(self, name, request))

    def _end_of_steps(self, name: str, method: Method, answer: dict[str, Any]) -> Any:
        """What a method that reads came to, when it was driven on the other side."""
        assert method.decode_read is not None
        self._check_generator(name, answer)
        if "read" in answer:
            self._maker.read(method.decode_read, answer["read"], f"`{name}`", "yielded")
        return self._maker.read(method.decode, answer.get("value"), f"`{name}`")

    @staticmethod
    def _check_generator(name: str, answer: dict[str, Any]) -> None:
        if "is_plain" in answer:
            raise WrongTypeError(f"`{name}` is no generator: it must `yield` what it wants to read, and return what it found")
        if "is_endless" in answer:
            raise EndlessError(f"`{name}` wants to read for ever: it yielded {_READS_MAX} reads and has not returned")

    def _steps(self, name: str, method: Method, *args: Any, **named: Any) -> Generator[Any, bytes, Any]:
        """Crosses the border once for each thing that is read."""
        maker, reading = self._maker, next(self._maker.numbers)
        assert method.decode_read is not None
        try:
            request = {**self._request("begin", name, args, named), "reading": repr(reading)}
            reads = 0
            while "read" in (answer := maker.ask(self, name, request)):
                reads += 1
                self._check_generator(name, {"is_endless": True} if reads > _READS_MAX else {})
                data = yield maker.read(method.decode_read, answer["read"], f"`{name}`", "yielded")
                request = {"do": '"step"', "reading": repr(reading), "data": maker.encoding.encode(data)}
            self._check_generator(name, answer)
            return maker.read(method.decode, answer.get("value"), f"`{name}`")
        finally:
            maker.garbage[self.worker].append(reading)

    def __del__(self) -> None:
        self._maker.garbage[self.worker].append(self.remote_number)
