"""The other end of `official.py`: verbs for the tests, answered by the official client's process."""

import json
import os
import re
import subprocess
import sys
import threading
from concurrent.futures import Future
from itertools import count
from pathlib import Path
from typing import Any

_VERB_S_MAX = 60.0
ROOT = Path(__file__).resolve().parents[2]


class RefusedByClientError(Exception):
    """The official client raised something; the text is its own."""


class Official:
    """One process with official clients. `official.send("anna", ...)` is the verb `send` of its client `anna`."""

    def __init__(self, endpoint: str, home: Path) -> None:
        # The client writes a log below its home folder.
        environment = {**os.environ, "HOME": str(home)}
        self._home = home
        self._errors = (home / "official.err").open("ab")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.interop.official", endpoint], cwd=ROOT, env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors,
        )  # fmt: skip
        self._numbers = count()
        self._lock = threading.Lock()
        self._answers: dict[int, Future[Any]] = {}
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            answer = json.loads(line)
            with self._lock:
                future = self._answers.pop(answer["id"])
            if "error" in answer:
                future.set_exception(RefusedByClientError(answer["error"]))
            else:
                future.set_result(answer["result"])
        with self._lock:
            for future in self._answers.values():
                future.set_exception(RefusedByClientError("the client's process ended"))

    def ask(self, verb: str, client: str, **arguments: Any) -> "Future[Any]":
        """Start a verb and do not wait for its answer."""
        assert self._process.stdin is not None
        number, future = next(self._numbers), Future[Any]()
        with self._lock:
            self._answers[number] = future
        self._process.stdin.write(json.dumps({"id": number, "verb": verb, "client": client, **arguments}) + "\n")
        self._process.stdin.flush()
        return future

    def __getattr__(self, verb: str) -> Any:
        if verb.startswith("_"):
            raise AttributeError(verb)
        return lambda client, **arguments: self.ask(verb, client, **arguments).result(_VERB_S_MAX)

    @property
    def pid(self) -> int:
        """Of the process with the clients."""
        return self._process.pid

    @property
    def complaints(self) -> list[str]:
        """Errors in the clients' log, but for two of their own making.

        Push consumers stop reading their stream when metrics are off; and what a poll gets, or how it is cut
        off, while they are closing is an error to them.
        """
        logs = [file.read_text(encoding="utf-8") for file in self._home.rglob("*.log")]
        assert logs, "the clients wrote no log"
        errors = [line.strip() for text in logs for line in text.splitlines() if "[ERROR]" in line]
        return [line for line in errors if not re.search(r"get_meter|received message error,($| .*after shutdown)", line)]

    def kill(self) -> None:
        """SIGKILL: no client says goodbye."""
        self._process.kill()
        self._process.wait()
        self._reader.join()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            assert stream is not None
            stream.close()
