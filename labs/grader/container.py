"""For marks: the worker in a container, with nothing to reach and little to use up.

It is the same worker in the same box, on the same two pipes: `docker run -i` passes them through. No network, a root
that cannot be written, a small `/tmp` in memory, no capabilities and no way to get any, nobody's user, limits for
memory, processes, files and processors. The image holds Python and nothing else; in particular not this repository.
Each has a copy of the box to itself: on files that two containers share, locks can be taken and seen, also where nothing can
be written.
"""

import os
import secrets
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from labs.grader.box import Box
from labs.grader.process import ENVIRONMENT, WORKER, WorkerProcess
from labs.grader.running import Start, patience

__all__ = ["DEFAULT_IMAGE", "ContainerError", "ContainerProcess", "image_id", "in_a_container", "mode_in"]

DEFAULT_IMAGE = os.environ.get("MQ_GRADER_IMAGE", "python:3.12-slim")
_ID_CHARS = 12
_MEMORY = "512m"
_PROCESSES_MAX = 64
_PROCESSORS_MAX = 1
_LIMITS = (
    *("--network=none", "--read-only", "--tmpfs=/tmp:rw,noexec,nosuid,size=16m", "--user=65534:65534"),
    *("--cap-drop=ALL", "--security-opt=no-new-privileges", "--pull=never", "--log-driver=none"),
    *(f"--memory={_MEMORY}", f"--memory-swap={_MEMORY}", f"--pids-limit={_PROCESSES_MAX}", f"--cpus={_PROCESSORS_MAX}"),
    *("--ulimit=nofile=64:64", "--ulimit=core=0"),
)


class ContainerError(Exception):
    """There is no engine, or no image."""


class ContainerProcess(WorkerProcess):
    """One worker in a container of its own. folder: its own too; it goes with it."""

    mode = "for marks: in a container"
    is_shut_in = False

    def __init__(self, folder: Path, opening: dict[str, Any], image: str) -> None:
        self._name = f"mq-lab-{secrets.token_hex(6)}"
        self._folder, self._image = folder, image
        super().__init__(folder, opening, patience)

    def command(self, folder: Path) -> Sequence[str]:
        """The engine's client, which lives as long as the container."""
        known = [f"--env={name}={value}" for name, value in {**ENVIRONMENT, "PYTHONPATH": "/box"}.items()]
        place = [f"--volume={folder}:/box:ro", "--workdir=/box", f"--name={self._name}"]
        return ["docker", "run", "--rm", "--interactive", *_LIMITS, *known, *place, self._image, "python3", *WORKER]

    def environment(self, _folder: Path) -> dict[str, str]:
        """The client's own; the container gets none of it."""
        return dict(os.environ)

    def kill(self) -> None:
        """The container from the host, then the client."""
        subprocess.run(  # noqa: S603 - a name of our own
            ["docker", "kill", self._name],  # noqa: S607 - where the engine's client is, is the machine's affair
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False,
        )  # fmt: skip
        super().kill()

    def end(self) -> None:
        """See above."""
        super().end()
        shutil.rmtree(self._folder, ignore_errors=True)


def image_id(image: str = DEFAULT_IMAGE) -> str:
    """Which image that name means now: a name may come to mean another one. Raises: ContainerError when there is none."""
    try:
        done = subprocess.run(  # noqa: S603 - a fixed command
            ["docker", "image", "inspect", "--format", "{{.Id}}", image],  # noqa: S607
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    except FileNotFoundError as error:
        raise ContainerError("there is no `docker` on this machine: marks need a container") from error
    if done.returncode:
        raise ContainerError(f"the image {image} cannot be used (MQ_GRADER_IMAGE names another): {done.stderr.strip()[:200]}")
    return done.stdout.strip() or image


def mode_in(found: str) -> str:
    """The mode of marks in the image of that id, told as short as `docker images` does."""
    return f"{ContainerProcess.mode}, image {found.removeprefix('sha256:')[:_ID_CHARS]}"


def in_a_container(image: str = DEFAULT_IMAGE) -> Start:
    """Starts workers in containers, all of the image that the name means now. Raises: ContainerError when that cannot be."""
    found = image_id(image)

    def start(box: Box, opening: dict[str, Any]) -> WorkerProcess:
        box.open_for_all()
        return ContainerProcess(box.own_copy(), opening, found)

    return start
