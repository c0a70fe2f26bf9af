"""An official producer in a process of its own that tells which routes it was given: `OfficialRoutes` is its other end.

`python -m tests.cluster.official_route ENDPOINT TOPIC...`. Each line on standard input is `{"topic", "body"}`; each answer on
standard output is `{"held", "asked", "sent"}`: the route that the client lives by, the one that it gets when it asks again, and
the message id of what it sent then, if there was a body. The client's descriptors clash with ours: they are loaded in `main`.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

__all__ = ["OfficialRoutes"]

ROOT = Path(__file__).resolve().parents[2]


class OfficialRoutes:
    """One official producer that knows an endpoint and some topics. Use `with`: nothing outlives it."""

    def __init__(self, endpoint: str, topics: list[str], home: Path) -> None:
        # The client writes a log below its home folder.
        self._errors = (home / "official_route.err").open("ab")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.cluster.official_route", endpoint, *topics], cwd=ROOT, text=True,
            env={**os.environ, "HOME": str(home)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors,
        )  # fmt: skip

    def __enter__(self) -> "OfficialRoutes":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            assert stream is not None
            stream.close()

    def ask(self, topic: str, body: str = "") -> dict[str, Any]:
        """See above; fails when the client did."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"topic": topic, "body": body}) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline() or '{"error": "the process ended"}')
        assert "error" not in answer, answer
        return answer


def main() -> None:
    """Answer one line after the other."""
    from google.protobuf.json_format import MessageToDict  # noqa: PLC0415 - whoever drives this process must not load these
    from rocketmq import ClientConfiguration, Credentials, Message, Producer  # noqa: PLC0415

    def plain(route: Any) -> list[Any]:
        queues = [MessageToDict(queue.message_queue0()) for queue in route.message_queues] if route else []
        return [{**queue, "acceptMessageTypes": sorted(queue["acceptMessageTypes"])} for queue in queues]

    endpoint, *topics = sys.argv[1:]
    producer = Producer(ClientConfiguration(endpoint, Credentials("ak", "sk")), tuple(topics))
    producer.startup()
    routes = producer.route_manager
    for line in sys.stdin:
        request, sent = json.loads(line), ""
        topic = request["topic"]
        try:
            held = plain(routes.retrieve_topic_route_data(topic))
            routes.remove_topic_route_data(topic)  # else the old one would stand for an answer that never came
            asked = plain(routes.update_topic_route(topic))
            if request["body"]:
                message = Message()
                message.topic, message.body = topic, request["body"].encode()
                sent = producer.send(message).message_id
            answer = {"held": held, "asked": asked, "sent": sent}
        except Exception as error:  # noqa: BLE001 - the client raises many kinds; the test judges
            answer = {"error": f"{type(error).__name__}: {error}"}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    os._exit(0)  # the official client leaves threads behind that would keep the process alive


if __name__ == "__main__":
    main()
