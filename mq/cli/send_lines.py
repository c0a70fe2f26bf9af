"""The lines of standard input, as `mq send TOPIC -` takes them: whole ones, as they come, and nobody waits for them in vain."""

import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import asyncio

__all__ = ["arriving_lines", "line_chunks", "until"]

_READ_BYTES = 1 << 16
_T = TypeVar("_T")


def line_chunks() -> Iterator[list[bytes]]:
    """Whole lines as they arrive, without their ends; empty ones are left out, as no message is empty."""
    # Not by the buffer: at the interpreter's end nobody may be reading from it still, and a thread of ours may.
    source = sys.stdin.buffer.raw  # type: ignore[union-attr]
    rest = b""
    while chunk := source.read(_READ_BYTES):
        *lines, rest = (rest + chunk).split(b"\n")
        if found := [line for line in (line.removesuffix(b"\r") for line in lines) if line]:
            yield found
    if rest:
        yield [rest]


async def arriving_lines(count: int | None) -> AsyncIterator[list[bytes]]:
    """What is there of them, time and again: a slow source is sent on line by line. count: at most so many, if not all."""
    chunks = line_chunks()
    left = sys.maxsize if count is None else count
    while left > 0 and (lines := await _in_a_daemon(lambda: next(chunks, None))) is not None:
        yield lines[:left]
        left -= len(lines)


async def until(failure: "asyncio.Future[BaseException]", source: AsyncIterator[_T]) -> AsyncIterator[_T]:
    """What a source has, as long as nothing fails; a failure is not held up by a source that is silent."""
    import asyncio  # noqa: PLC0415 - slow to load, and a single message does without

    async def following() -> _T | None:
        return await anext(source, None)

    while not failure.done():
        coming = asyncio.ensure_future(following())
        try:
            await asyncio.wait((coming, failure), return_when=asyncio.FIRST_COMPLETED)
        finally:
            coming.cancel()
        if not coming.done() or (found := coming.result()) is None:
            return
        yield found


async def _in_a_daemon(call: Callable[[], _T]) -> _T:
    """A call that may take for ever, in a thread that nobody waits for at the end, as `asyncio.run` does for those it made."""
    import asyncio  # noqa: PLC0415
    import threading  # noqa: PLC0415

    loop = asyncio.get_running_loop()
    future: asyncio.Future[_T] = loop.create_future()

    def settle(result: _T | None, error: Exception | None) -> None:
        if future.done():  # cancelled meanwhile
            return
        if error is None:
            future.set_result(result)  # type: ignore[arg-type]
        else:
            future.set_exception(error)

    def work() -> None:
        try:
            found: tuple[_T | None, Exception | None] = call(), None
        except Exception as error:  # noqa: BLE001 - whatever it is, it is for whoever waits
            found = None, error
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, *found)

    threading.Thread(target=work, name="standard input", daemon=True).start()
    return await future
