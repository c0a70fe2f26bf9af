"""docker/compose.yaml as somebody uses it: up, down, and up again on the same volumes."""

import contextlib
import functools
import os
import secrets
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from mq.cluster.asking import ask_broker
from mq.cluster.docker_engine import engine
from tests.cluster.broker_process import free_port, wait_until

FILE = Path(__file__).resolve().parents[2] / "docker" / "compose.yaml"
_SERVE_S_MAX = 90.0


@functools.cache
def commands() -> tuple[tuple[str, ...], ...]:
    """Compose 2 and Compose 1, as far as they are there."""
    found = []
    for command in (("docker", "compose"), ("docker-compose",)):
        with contextlib.suppress(OSError):
            if subprocess.run([*command, "version"], capture_output=True, check=False).returncode == 0:
                found.append(command)
    return tuple(found)


class Compose:
    """One project. names: of the services of the first group. ports: of this machine, by service of it.

    second: the services of the group that a profile starts. registries: those of registry nodes.

    parts: MQ_PARTS, empty for none. command: which Compose, by default the newest that is there. environment: more variables.
    """

    names = ("broker-a-1", "broker-a-2", "broker-a-3")
    second = ("broker-b-1", "broker-b-2", "broker-b-3")
    registries = ("registry-1", "registry-2")

    def __init__(
        self, image: str, *, parts: str = "", command: Sequence[str] = (), environment: Mapping[str, str] | None = None
    ) -> None:
        self.image = image
        self._command = tuple(command) or commands()[0]
        self.project = f"raftmqtest{secrets.token_hex(4)}"
        self.ports = {name: free_port() for name in self.names}
        self.registry_ports = {name: free_port() for name in self.registries}
        self.net = f"10.{200 + secrets.randbelow(50)}.{secrets.randbelow(256)}"
        self._environment = {
            **os.environ, "MQ_IMAGE": image, "MQ_NET": self.net, "MQ_CLUSTER_SECRET": secrets.token_hex(16), "MQ_PARTS": parts,
            **{f"MQ_PORT_{name[-1]}": str(port) for name, port in self.ports.items()},
            **{f"MQ_PORT_{number}": str(free_port()) for number in (4, 5, 6)},
            **{f"MQ_REGISTRY_PORT_{name[-1]}": str(port) for name, port in self.registry_ports.items()},
            "MQ_REGISTRY_TIMES": "fast",
            **(environment or {}),
        }  # fmt: skip

    def run(self, *arguments: str) -> str:
        """A command of Compose; what it printed."""
        done = self.tried(*arguments)
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    def tried(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """The same, however it ends."""
        command = [*self._command, "-f", str(FILE), "-p", self.project, *arguments]
        return subprocess.run(command, env=self._environment, capture_output=True, text=True, timeout=200, check=False)

    def config(self) -> dict[str, Any]:
        """The file as Compose understands it; this needs no engine."""
        found = yaml.safe_load(self.run("config"))
        assert isinstance(found, dict)
        return found

    def services(self) -> dict[str, Any]:
        """The services of it."""
        found = self.config()["services"]
        assert isinstance(found, dict)
        return found

    def up(self) -> None:
        """Until every node answers and one leads."""
        self.run("up", "--detach", "--no-build")
        wait_until(self.is_whole, "all nodes serve, and one of them leads", limit_s=_SERVE_S_MAX)

    def is_whole(self) -> bool:
        roles = [answer.role for client in self.outside if (answer := ask_broker(client)) is not None]
        return sorted(roles) == ["follower", "follower", "leader"]

    def leader(self) -> str:
        """The service that leads now."""

        def found() -> str:
            answers = {name: ask_broker(f"127.0.0.1:{port}") for name, port in self.ports.items()}
            return next((name for name, answer in answers.items() if answer is not None and answer.role == "leader"), "")

        return str(wait_until(found, "somebody leads"))

    @property
    def outside(self) -> list[str]:
        """As clients on this machine reach the nodes."""
        return [f"127.0.0.1:{port}" for port in self.ports.values()]

    @property
    def inside(self) -> list[str]:
        """As clients in the network reach the nodes."""
        return [f"{self.net}.{10 + number}:8081" for number in range(1, len(self.names) + 1)]

    def container(self, name: str) -> Any:
        """The container of a service."""
        labels = [f"com.docker.compose.project={self.project}", f"com.docker.compose.service={name}"]
        (found,) = engine().containers.list(all=True, filters={"label": labels})
        return found
