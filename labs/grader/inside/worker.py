"""The process that holds a student's code: it makes objects, calls their methods, and says what came back.

Each line on its standard input is a request, each line on its standard output the answer; what the student's code prints goes
to standard error. It decides nothing and knows neither tests nor marks: a student who takes it over can only send other data,
and data is all that the other side takes. Request (JSON):

    id, do (one of the words below), drop ([objects and readings that are needed no more])

    hello  package, limits, is_shut_in; nothing of a student's runs before it is answered
    open   classes, organ, observed, inside          new    object, make
    call   object, name, args, named                 begin  object, name, args, named, reading
    calls  object, calls ([name, args, named] each), files (for those that read)
    drive  object, name, args, named, files
    step   reading, data                             sweep  module, number, seeds
    end    nothing more comes

`make` ([args, named, class method or ""], in any request) makes the object first. `drive` is `begin` with all steps at once.

Answer: first the same id, then `value` or `raised` (of several calls `at`: by which one); of a reading `read` or `value`;
and what the object shows of itself, `seen`.
"""

import gc
import importlib
import io
import json
import os
import sys
import traceback
from collections.abc import Generator
from typing import Any, BinaryIO, TypeAlias

from labs.grader.inside.encoding import Encoding, quoted, written_list, written_object

__all__ = ["Worker", "main"]

_TEXT_MAX = 400
_LINE_MAX = 120
_READS_MAX = 50_000
_RECURSION_MAX = 800
"""Deep enough for what is right, and far from where the interpreter itself breaks."""
_GARBAGE_EVERY = 200_000
"""New objects between two looks for garbage: a schedule leaves a few thousand behind, in one piece, and ten of them some MiB."""
_from_json = json.JSONDecoder().decode
_Written: TypeAlias = dict[str, str]
"""An object of JSON whose values are texts already."""


class Worker:
    """Objects by number, and readings under way (generators) by number. package: that of the student's code."""

    def __init__(self, package: str) -> None:
        self._package = package
        self._encoding = Encoding(())
        self._organ: Any = None
        self._inside: Any = None
        self._observed: list[str] = []
        self._readings: dict[int, tuple[int, Generator[Any, Any, Any]]] = {}

    def answer(self, request: dict[str, Any]) -> str:
        """Carry one request out; whatever it raises is part of the answer, which is JSON."""
        number = request.get("object")
        try:
            for dropped in request.get("drop", ()):
                self._encoding.objects.pop(dropped, None)
                self._readings.pop(dropped, None)
            found = self._do(request)
        except BaseException as error:  # noqa: BLE001 - whatever a student's code raises, exits included, is told
            found = {"raised": self._raised(error)}
        if request["do"] == "step":
            number = self._readings.get(request["reading"], (request.get("object"), None))[0]
        target = self._encoding.objects.get(number) if number is not None else None
        if target is not None:
            found["seen"] = written_list([self._look(target, name) for name in self._observed])
        return written_object({"id": quoted(request["id"]), **found})

    def _do(self, request: dict[str, Any]) -> _Written:  # noqa: C901, PLR0911 - one line for each kind
        decode = self._encoding.decode
        if "make" in request:
            self._encoding.objects[request["object"]] = self._made(*request["make"])
        match request["do"]:
            case "hello" | "new":
                return {"value": "null"}
            case "open":
                return self._open(request)
            case "call":
                return {"value": self._encoding.encode(self._call(request))}
            case "calls":
                return self._calls(request["object"], request["calls"], decode(request.get("files", {"d": []})))
            case "begin":
                found = self._call(request)
                if not isinstance(found, Generator):
                    return {"value": self._encoding.encode(found), "is_plain": "true"}
                self._readings[request["reading"]] = (request["object"], found)
                return self._step(request["reading"], None)
            case "drive":
                return self._driven(self._call(request), decode(request["files"]))
            case "step":
                return self._step(request["reading"], decode(request["data"]))
            case "sweep":
                return {"value": repr(self._swept(request["module"], request["number"], request["seeds"]))}
        raise KeyError(f"no such request: {request['do']}")

    def _made(self, args: list[Any], named: dict[str, Any], by: str) -> Any:
        """A new object, by the class itself or by one of its class methods."""
        decode = self._encoding.decode
        make = getattr(self._organ, by) if by else self._organ
        if self._inside is not None:
            return self._inside(make, *map(decode, args), **{name: decode(value) for name, value in named.items()})
        made = make(*map(decode, args), **{name: decode(value) for name, value in named.items()})
        if not isinstance(made, self._organ):
            raise TypeError(f"`{by}` returned {type(made).__name__}, expected {self._organ.__name__}")
        return made

    def _open(self, request: dict[str, Any]) -> _Written:
        classes = [getattr(importlib.import_module(module), name) for module, name in request["classes"]]
        self._encoding = Encoding(classes)
        self._observed = request["observed"]
        module, name = request["organ"]
        found = importlib.import_module(module)
        self._organ = getattr(found, name, None)
        if not isinstance(self._organ, type):
            raise TypeError(f"{module.rpartition('.')[2]}.py has no class {name}")
        if request["inside"]:
            module, name = request["inside"]
            self._inside = getattr(importlib.import_module(module), name)
        gc.freeze()  # what was imported is no garbage
        gc.set_threshold(_GARBAGE_EVERY)
        return {"value": "null"}

    def _driven(self, steps: Any, files: dict[str, bytes]) -> _Written:
        """A reading to its end, with what lies on the disk at hand: one crossing in the place of many."""
        if not isinstance(steps, Generator):
            return {"value": self._encoding.encode(steps), "is_plain": "true"}
        data = None
        for _ in range(_READS_MAX):
            try:
                wanted = steps.send(data)
            except StopIteration as done:
                return {"value": self._encoding.encode(done.value)}
            at: Any = getattr(wanted, "at", None)
            size_bytes: Any = getattr(wanted, "size_bytes", None)
            is_read = type(wanted).__name__ == "Read" and type(at) is int and type(size_bytes) is int
            if not is_read or min(at, size_bytes) < 0:  # the other side says what is wrong with it
                return {"read": self._encoding.encode(wanted)}
            data = files.get(getattr(wanted, "file", ""), b"")[at : at + size_bytes]
        return {"is_endless": "true"}

    def _swept(self, module: str, number: str, seeds: list[int]) -> list[int]:
        """Run many schedules in here; returns the seeds that failed. Why is asked from outside."""
        from labs.grader.suite import Run  # noqa: PLC0415 - only where a lab has such tests

        check = next(check for check in importlib.import_module(module).SWEEP if check.number == number)
        gc.freeze()
        failed = []
        for seed in seeds:
            case = check.by_seed(seed)
            try:
                case.play(self._organ, case.steps, Run())
            except Exception:  # noqa: BLE001 - whatever it is
                failed.append(seed)
        return failed

    def _calls(self, number: int, calls: list[list[Any]], files: dict[str, bytes]) -> _Written:
        """One after the other, as far as none of them raises. Each answer is taken down before the next call.

        What reads is driven to its end, and answers {"driven": as `drive` would}.
        """
        found: list[str] = []
        for name, args, named in calls:
            try:
                made = self._call({"object": number, "name": name, "args": args, "named": named})
                is_reading = isinstance(made, Generator)
                answer = (
                    written_object({"driven": written_object(self._driven(made, files))})
                    if is_reading
                    else self._encoding.encode(made)
                )
            except BaseException as error:  # noqa: BLE001 - whatever a student's code raises is told
                return {"raised": self._raised(error), "at": repr(len(found))}
            found.append(answer)
        return {"value": written_list(found)}

    def _call(self, request: dict[str, Any]) -> Any:
        method = getattr(self._encoding.objects[request["object"]], request["name"])
        decode = self._encoding.decode
        return method(*map(decode, request["args"]), **{name: decode(value) for name, value in request["named"].items()})

    def _step(self, reading: int, data: Any) -> _Written:
        _, steps = self._readings[reading]
        try:
            return {"read": self._encoding.encode(steps.send(data))}
        except StopIteration as done:
            return {"value": self._encoding.encode(done.value)}

    def _look(self, target: Any, name: str) -> str:
        try:
            return written_object({"value": self._encoding.encode(getattr(target, name))})
        except BaseException as error:  # noqa: BLE001 - a property that is not written yet is told when somebody asks for it
            return written_object({"raised": self._raised(error)})

    def _raised(self, error: BaseException) -> str:
        details = {name: self._encoding.encode(getattr(error, name, None)) for name in ("file", "at", "reason", "position")}
        ours = next((kind for kind in type(error).__mro__ if kind.__module__ == "mq.core.errors"), None)
        try:
            text = str(error)[:_TEXT_MAX]
        except BaseException:  # noqa: BLE001 - an error of a student's own making may do anything
            text = ""
        name = type(error).__name__ if ours is None else ours.__name__  # one that a student derived from it is caught as it
        found = {"type": quoted(name), "text": quoted(text), "place": quoted(self._place(error))}
        found["details"] = "null" if ours is None else written_object(details)
        return written_object({**found, "code": quoted(_code_of(error))} if isinstance(error, SyntaxError) else found)

    def _place(self, error: BaseException) -> str:
        """The innermost line of the student's own."""
        if isinstance(error, SyntaxError) and error.filename:
            return f"{os.path.basename(error.filename)}, line {error.lineno}"  # noqa: PTH119 - quick, and only a name
        found = ""
        for frame in traceback.extract_tb(error.__traceback__):
            folder, name = os.path.split(frame.filename)
            if os.path.basename(folder) == self._package:  # noqa: PTH119
                found = f"{name}, line {frame.lineno}, in {frame.name}"
        return found


def _code_of(error: SyntaxError) -> str:
    """The line that Python cannot read, and a sign below the place in it."""
    if not isinstance(error.text, str):
        return ""
    before = error.text[: max(0, (error.offset or 1) - 1)].expandtabs(4)
    line = error.text.rstrip().expandtabs(4)[:_LINE_MAX]
    number = f"{error.lineno:>5} | "
    return f"{number}{line}" + (f"\n{' ' * (len(number) + len(before))}^" if len(before) <= len(line) else "")


def _limit(limits: dict[str, int]) -> None:
    """What the system holds this process to. Nothing where it cannot (Windows)."""
    try:
        import resource  # noqa: PLC0415 - not everywhere
    except ImportError:
        return
    for name, value in limits.items():
        kind = getattr(resource, f"RLIMIT_{name}", None)
        if kind is not None:
            _, hard = resource.getrlimit(kind)
            wanted = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.setrlimit(kind, (wanted, wanted))


def _shut_in() -> None:
    """Give up what is not needed; nothing where Python was built without ctypes."""
    try:
        from labs.grader.inside.shut_in import shut_in  # noqa: PLC0415 - not everywhere, and a container does more than that
    except ImportError:
        return
    shut_in()


def _private_pipes() -> tuple[BinaryIO, int]:
    """Standard input and output for our own use; whoever prints does it to standard error."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # this process is ended from outside, and what waits then is lost
    return requests, answers


def main() -> int:
    """Answer requests until there are no more."""
    requests, answers = _private_pipes()
    request = _from_json(requests.readline().decode())
    _limit(request["limits"])
    if request["is_shut_in"]:
        _shut_in()
    sys.setrecursionlimit(_RECURSION_MAX)
    worker = Worker(request["package"])
    while request["do"] != "end":
        left = memoryview(worker.answer(request).encode() + b"\n")
        while left:
            left = left[os.write(answers, left) :]
        line = requests.readline()
        if not line:
            break
        request = _from_json(line.decode())
    # Nothing of a student's runs after this: no destructors, no `atexit`, no threads.
    os._exit(0)


if __name__ == "__main__":
    main()
