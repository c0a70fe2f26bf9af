"""Tests in containers: skipped where there is no engine or no image, unless MQ_REQUIRE_DOCKER=1 wants them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from mq.cluster.docker import DockerCluster
from mq.cluster.docker_engine import check_image, engine
from mq.cluster.docker_plan import DEFAULT_IMAGE
from mq.cluster.errors import ClusterError
from mq.cluster.plan import ClusterPlan
from tests.docker.compose import Compose, commands

IMAGE = os.environ.get("MQ_IMAGE", DEFAULT_IMAGE)


def _missing(reason: str) -> None:
    if os.environ.get("MQ_REQUIRE_DOCKER") == "1":
        pytest.fail(f"MQ_REQUIRE_DOCKER=1, but {reason}", pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def image() -> str:
    """The image of a broker, on an engine that answers."""
    try:
        check_image(engine(), IMAGE)
    except ClusterError as error:
        _missing(str(error))
    return IMAGE


@pytest.fixture(scope="session")
def has_compose() -> None:
    """Compose is there, with or without an engine."""
    if not commands():
        _missing("neither `docker compose` nor `docker-compose` is there")


@contextmanager
def _up(made: Compose) -> Iterator[Compose]:
    try:
        made.up()
        yield made
    finally:
        made.run("down", "--volumes", "--timeout", "1")


@pytest.fixture(scope="module")
def compose(image: str, has_compose: None) -> Iterator[Compose]:
    """docker/compose.yaml, up, with a name, ports and a network of its own; nothing of it is left behind."""
    with _up(Compose(image)) as made:
        yield made


@pytest.fixture
def compose_with_parts(image: str, has_compose: None) -> Iterator[Compose]:
    """The same with a Raft of somebody else, by MQ_PARTS."""
    with _up(Compose(image, parts="labs/stage3_raft/right/lazy.py")) as made:
        yield made


@pytest.fixture(scope="module")
def cluster(image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerCluster]:
    """Three containers of one group, up."""
    made = DockerCluster.up(tmp_path_factory.mktemp("docker") / "cluster", ClusterPlan(base_port=0), image=image)
    yield made
    made.remove()
