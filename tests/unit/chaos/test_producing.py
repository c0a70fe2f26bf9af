"""What a producer notes: each attempt counts, also of what was stored in the end."""

import asyncio
from pathlib import Path
from random import Random
from typing import Any

import pytest

from mq.chaos import producing
from mq.chaos.history import DONE, REFUSED, Journal, Send
from mq.chaos.producing import Sender
from mq.chaos.setting import Progress
from mq.core.errors import Code, MqError, NotServingError, OutcomeUnknownError, RefusedError


class Broker:
    """Stands in for all calls: plays these errors first, then stores each message once."""

    def __init__(self, progress: Progress, stop_after: int, *errors: MqError) -> None:
        self._progress, self._stop_after, self._errors = progress, stop_after, list(errors)
        self.places: dict[str, int] = {}
        self.sends = 0

    def __call__(self, _endpoints: str, **_: int) -> "Broker":
        return self

    async def __aenter__(self) -> "Broker":
        return self

    async def __aexit__(self, *_: object) -> None: ...

    async def use_next(self) -> None: ...

    async def send(self, _topic: str, message_id: str, _body: bytes, **_: Any) -> int:
        self.sends += 1
        if self.sends >= self._stop_after:
            self._progress.stopping.set()
        if self._errors:
            raise self._errors.pop(0)
        return self.places.setdefault(message_id, len(self.places))


def sent(folder: Path, monkeypatch: pytest.MonkeyPatch, stop_after: int, *errors: MqError) -> list[Send]:
    progress, journal = Progress(), Journal(folder / "history.jsonl")
    broker = Broker(progress, stop_after, *errors)
    monkeypatch.setattr(producing, "Calls", broker)
    asyncio.run(Sender("somewhere", "p0", "t", journal, progress).run(Random(1), 0, 0.0))
    journal.close()
    return journal.history.sends


def test_attempts_that_were_refused_are_noted_with_their_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = sent(tmp_path, monkeypatch, 1, NotServingError("no leader"), NotServingError("no leader"))
    assert [(one.outcome, one.offset, one.attempts, one.error) for one in found] == [(DONE, 0, 3, "NotServingError: no leader")]
    (began_s, ended_s), *_ = found[0].failed
    assert found[0].began_s <= began_s <= ended_s + 1e-6 <= found[0].ended_s + 1e-5


def test_a_refusal_for_good_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = sent(tmp_path, monkeypatch, 1, RefusedError(Code.TOPIC_NOT_FOUND, "no such topic"))
    assert [(one.outcome, one.attempts, len(one.failed)) for one in found] == [(REFUSED, 1, 1)]


def test_one_in_so_many_is_sent_again_though_it_was_acknowledged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = sent(tmp_path, monkeypatch, 26)
    assert [one.message_id for one in found if one.attempts == 2] == ["p0-2", "p0-22"]
    assert [one.offset for one in found] == list(range(len(found)))


def test_what_was_acknowledged_stays_so_when_its_repetition_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = sent(tmp_path, monkeypatch, 2, NotServingError("no leader"))
    assert found[-1].outcome == DONE
    errors = [OutcomeUnknownError("gone")] * 40

    class Late(Broker):
        async def send(self, _topic: str, message_id: str, _body: bytes, **_: Any) -> int:
            if message_id == "p0-2" and message_id in self.places:
                raise errors.pop()
            return await super().send(_topic, message_id, _body)

    progress, journal = Progress(), Journal(tmp_path / "more.jsonl")
    monkeypatch.setattr(producing, "Calls", Late(progress, 2))
    asyncio.run(Sender("somewhere", "p0", "t", journal, progress).run(Random(1), 0, 0.0))
    journal.close()
    again = journal.history.sends[1]
    assert (again.message_id, again.outcome, again.is_unsure, again.offset) == ("p0-2", DONE, True, 1)
