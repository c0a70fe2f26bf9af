"""For marks: the nodes in containers. What they leave is read as data, when they have ended."""

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path, PurePosixPath
from typing import cast

from labs.grader.box import ROOT
from labs.grader.process import note_ended
from labs.grader.submission import Submission
from labs.stage3_raft.lab3f_drive_it.hosts import CONTAINERS, SETTINGS, Hosts, ran_out
from labs.stage3_raft.lab3f_drive_it.organs import put_hollow
from mq.cluster.backend import ClusterBackend
from mq.cluster.docker import DockerCluster
from mq.cluster.docker_confined import read_kept
from mq.cluster.docker_engine import check_image, engine, explained, memory_ran_out
from mq.cluster.docker_plan import DATA, DEFAULT_IMAGE, object_name
from mq.cluster.errors import ClusterError
from mq.cluster.plan import ClusterPlan
from mq.cluster.processes import PAUSED, STOPPED

__all__ = ["Containers"]

_PYTHON = "/opt/raftmq/bin/python"
_BYTE_CODE = "__pycache__"
_TRACES = "traces"
_TRACE_BYTES_MAX = 64 << 20
_WHERE = """
import hashlib, json, pathlib, sys, mq
root = pathlib.Path(mq.__file__).parent.parent
found = {name: hashlib.sha256((root / name).read_bytes()).hexdigest() for name in sys.argv[1:]}
print(json.dumps([str(root), found]))
"""
"""Where an image has its `mq`, and the fingerprints of some of its files."""


class Containers(Hosts):
    """See `Hosts`. image: of brokers, made from docker/Dockerfile of this very checkout."""

    mode = CONTAINERS

    def __init__(self, submission: Submission, folder: Path, *, with_reference: bool = False, image: str = DEFAULT_IMAGE) -> None:
        super().__init__(submission, folder, with_reference=with_reference)
        self._image = image
        self._hollow = {} if with_reference else dict(put_hollow(folder / "given"))

    @classmethod
    def checked(cls, image: str = DEFAULT_IMAGE) -> Callable[..., Hosts]:
        """What makes them. Raises: ClusterError when there is no engine, or no such image."""
        check_image(engine(), image)
        return partial(cls, image=image)

    def _up(self) -> ClusterBackend:
        given = self._given()
        settings = {**SETTINGS, "trace": f"{DATA}/{_TRACES}/{{name}}-{{node}}.trace"}
        plan = ClusterPlan(nodes=3, base_port=0, parts={"": str(self.organs)}, settings=settings, is_confined=True, given=given)
        return DockerCluster.up(self.folder / "cluster", plan, image=self._image)

    def _given(self) -> dict[str, str]:
        """The hollow layers, each with the place that it covers. Raises: ClusterError for another version's image.

        Beside the sources may lie byte code that was compiled from whole ones: an empty folder covers it, whatever the image.
        """
        if not self._hollow:
            return {}
        names = sorted(self._hollow)
        with explained(self._image):
            said = engine().containers.run(
                self._image, ["-c", _WHERE, *names], entrypoint=[_PYTHON], remove=True, network_mode="none", read_only=True,
                tmpfs={DATA: "size=1m"},
                labels={"raftmq.lab": "lab3f"},
            )  # fmt: skip
        where, marks = json.loads(said)
        ours = {name: hashlib.sha256((ROOT / name).read_bytes()).hexdigest() for name in names}
        if marks != ours:
            raise ClusterError(
                f"the image {self._image} is of another version: docker build -t {self._image} -f docker/Dockerfile ."
            )
        given = {str(self._hollow[name].absolute()): f"{where}/{name}" for name in names}
        for number, package in enumerate(sorted({str(PurePosixPath(name).parent) for name in names})):
            nothing = self.folder / "given" / f"nothing-{number}"
            nothing.mkdir(exist_ok=True)
            given[str(nothing.absolute())] = f"{where}/{package}/{_BYTE_CODE}"
        return given

    def last_words(self, name: str) -> str:
        """See `Hosts`. Whom the kernel ended had no time to say why, and the engine knows."""
        with suppress(ClusterError), explained(name):
            container = engine().containers.get(object_name((self.folder / "cluster").resolve(), name))
            if limit := memory_ran_out(container):
                return ran_out(limit)
        return super().last_words(name)

    def close(self) -> None:
        """See `Hosts`."""
        note_ended(self)
        if self._cluster is None:
            return
        cluster = cast(DockerCluster, self._cluster)
        try:
            for node in cluster.status().nodes:
                with suppress(ClusterError):
                    if node.state == PAUSED:
                        cluster.resume(node.name)
                    if node.state != STOPPED:
                        cluster.kill(node.name)
                with suppress(ClusterError):
                    file = f"{node.group}-{node.node}.trace"
                    (self.traces / file).write_bytes(
                        read_kept(engine(), object_name(cluster.folder), f"{node.name}/{_TRACES}/{file}", _TRACE_BYTES_MAX)
                    )
        finally:
            cluster.remove()
            self._cluster = None

    def kill(self) -> None:
        """See `Hosts`. Also what is only half made yet."""
        with suppress(ClusterError):
            DockerCluster(self.folder / "cluster").remove()
