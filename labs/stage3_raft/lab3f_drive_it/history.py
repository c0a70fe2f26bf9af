"""What the official clients saw, as they told it line by line, and the process that tells it."""

import json
import os
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from labs.grader.box import ROOT
from labs.grader.harmless import harmless

__all__ = ["CALLERS", "Got", "History", "Sent", "Witness"]

CALLERS = ("anna", "ben", "carl")
"""Each sends its own orders, one behind the other; its name is their message group, so that they stay in order."""
_MODULE = "labs.stage3_raft.lab3f_drive_it.witness"
_END_S_MAX = 5.0
_ERROR_CHARS_MAX = 200


class Sent(NamedTuple):
    """An order that was acknowledged. offset: in its queue, by the receipt. began_s, at_s: by this machine's monotonic clock."""

    caller: str
    number: int
    offset: int
    began_s: float
    at_s: float


class Got(NamedTuple):
    """One delivery of an order."""

    body: str
    attempt: int
    at_s: float


@dataclass
class History:
    """word: begins every body, new with each run. tried: orders whose sending was begun and told of, acknowledged or not."""

    word: str
    sent: list[Sent] = field(default_factory=list)
    got: list[Got] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    tried: set[str] = field(default_factory=set)

    def note(self, told: dict[str, Any]) -> None:
        """One line of the witness."""
        what = told["what"]
        if what == "got":
            self.got.append(Got(told["body"], told["attempt"], told["at_s"]))
        elif what in ("sent", "failed"):
            self.tried.add(self.body_of(told["caller"], told["number"]))
            if what == "sent":
                self.sent.append(Sent(told["caller"], told["number"], told["offset"], told["began_s"], told["at_s"]))
            else:
                self.failed.append(harmless(told["error"][:_ERROR_CHARS_MAX]))

    def body_of(self, caller: str, number: int) -> str:
        """What an order says."""
        return f"{self.word} {caller} {number}"

    def acknowledged(self) -> set[str]:
        """Bodies."""
        return {self.body_of(one.caller, one.number) for one in self.sent[:]}

    def lost(self) -> list[str]:
        """Acknowledged, and never delivered."""
        return sorted(self.acknowledged() - {one.body for one in self.got[:]})

    def invented(self) -> list[str]:
        """Delivered, and never sent. The one of each caller that was on its way at the end may be there: it was begun."""
        following = dict.fromkeys(CALLERS, 0)
        for one in self.sent:
            following[one.caller] = max(following[one.caller], one.number + 1)
        known = self.tried | {self.body_of(caller, number) for caller, number in following.items()}
        return sorted({one.body for one in self.got} - known)

    def out_of_order(self) -> list[str]:
        """A caller waits for each acknowledgement: so a later order stands further behind in their one queue."""
        found = []
        for caller in CALLERS:
            own = sorted((one for one in self.sent if one.caller == caller), key=lambda one: one.number)
            found += [
                f"order {later.number} of {caller} has offset {later.offset}, order {earlier.number} before it {earlier.offset}"
                for earlier, later in pairwise(own)
                if later.offset <= earlier.offset
            ]
        return found

    def gap_s(self, since_s: float, until_s: float) -> float | None:
        """The longest time without an acknowledgement that ended in that time; None when there was none."""
        at_s = sorted(one.at_s for one in self.sent)
        gaps = [later - earlier for earlier, later in pairwise(at_s) if since_s <= later <= until_s]
        return max(gaps, default=None)

    def again(self) -> int:
        """Deliveries of what had been delivered before: at least once is the promise."""
        return len(self.got) - len({one.body for one in self.got})


class Witness:
    """The official clients' process. Use `with`. home: for what they write, and for `witness.jsonl` and `witness.log`."""

    def __init__(self, endpoint: str, topic: str, group: str, word: str, home: Path) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.history = History(word)
        self._is_begun, self._is_stopped = threading.Event(), threading.Event()
        self._complaints = (home / "witness.log").open("wb")
        self._lines = (home / "witness.jsonl").open("w", encoding="utf-8")
        # The client writes a log below its home folder as soon as it is imported.
        environment = {**os.environ, "HOME": str(home.absolute()), "USERPROFILE": str(home.absolute())}
        self._process = subprocess.Popen(  # noqa: S603 - our own program and arguments
            [sys.executable, "-m", _MODULE, endpoint, topic, group, word, *CALLERS], cwd=ROOT, env=environment,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._complaints, text=True,
        )  # fmt: skip
        self._listener = threading.Thread(target=self._listen, name="what the witness tells", daemon=True)
        self._listener.start()

    def __enter__(self) -> "Witness":
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self._process.kill()
        self._process.wait()
        self._listener.join(_END_S_MAX)
        for stream in (self._process.stdin, self._process.stdout, self._complaints, self._lines):
            assert stream is not None
            stream.close()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if not line.startswith("{") or not line.endswith("\n"):
                continue
            told = json.loads(line)
            self._lines.write(line)
            if told["what"] == "began":
                self._is_begun.set()
            elif told["what"] == "stopped":
                self._is_stopped.set()
            else:
                self.history.note(told)

    @property
    def has_begun(self) -> bool:
        """Whether both clients are there."""
        return self._is_begun.is_set()

    @property
    def has_stopped(self) -> bool:
        """Whether every order that was begun has its answer, after `stop_sending`."""
        return self._is_stopped.is_set()

    @property
    def has_ended(self) -> bool:
        """Whether its process is gone: by itself, since nobody of the cluster can end it."""
        return self._process.poll() is not None

    def stop_sending(self) -> None:
        """No more orders; deliveries go on."""
        assert self._process.stdin is not None
        self._process.stdin.write("stop\n")
        self._process.stdin.flush()
