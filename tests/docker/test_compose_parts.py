"""MQ_PARTS with docker/compose.yaml: every node is told of the organs and finds them, or nobody is told of any."""

import posixpath
import re
from pathlib import Path
from typing import Any

import pytest

from mq.server.config import load_config
from tests.cluster.broker_process import run_mq
from tests.docker.compose import FILE, Compose, commands

ROOT = FILE.parent.parent
COMMANDS = commands() or ((),)  # with none, the tests that need one say so


def of_each(compose: Compose) -> dict[str, Any]:
    """The file as Compose understands it, with all its services."""
    config = compose.config()
    always = {*Compose.names, *Compose.registries}
    assert set(config["services"]) in (always, {*always, *Compose.second})  # Compose 1.29 shows those of a profile, too
    return config


def told_parts(service: dict[str, Any]) -> str:
    """What a node of this service takes for its `parts`."""
    environment = {name: "" if text is None else str(text) for name, text in service["environment"].items()}
    return load_config(None, environment, {"data": "data"}).parts


def mounted(config: dict[str, Any], name: str) -> tuple[Path, str]:
    """Source and target of what is mounted beside a service's volume; as a secret of Compose, nobody can write there."""
    service = config["services"][name]
    (found,) = service["secrets"]
    assert len(service["volumes"]) == 1
    return Path(config["secrets"][found["source"]]["file"]), posixpath.normpath(found["target"])


@pytest.mark.usefixtures("has_compose")
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("parts", ["labs/stage3_raft/right/lazy.py", "labs/stage3_raft/right", "./labs/stage3_raft/right/"])
def test_every_node_finds_what_mq_parts_names_where_it_is_told_to_look(parts: str, command: tuple[str, ...]) -> None:
    config = of_each(Compose("raftmq:latest", parts=parts, command=command))
    for name in Compose.names:
        service = config["services"][name]
        source, target = mounted(config, name)
        assert source.samefile(ROOT / parts)
        assert told_parts(service) == parts
        assert posixpath.normpath(posixpath.join(service["working_dir"], parts)) == target


@pytest.mark.usefixtures("has_compose")
@pytest.mark.parametrize("command", COMMANDS)
def test_without_mq_parts_no_node_is_told_of_any_and_what_is_mounted_is_there(command: tuple[str, ...]) -> None:
    config = of_each(Compose("raftmq:latest", command=command))
    for name in Compose.names:
        service = config["services"][name]
        source, target = mounted(config, name)
        assert (source, target) == (FILE, "/parts/none")
        assert told_parts(service) == ""


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("has_compose")
@pytest.mark.parametrize("command", COMMANDS)
def test_a_misspelt_name_ends_up_and_leaves_nothing_in_the_checkout(image: str, command: tuple[str, ...]) -> None:
    compose = Compose(image, parts="labs/stage3_raft/right/nosuch.py", command=command)
    try:
        up = compose.tried("up", "--detach", "--no-build")
        assert up.returncode != 0
        assert f"bind source path does not exist: {ROOT / 'labs/stage3_raft/right/nosuch.py'}" in up.stderr
        assert not (ROOT / "labs/stage3_raft/right/nosuch.py").exists()
    finally:
        compose.run("down", "--volumes", "--timeout", "1")


@pytest.mark.timeout(300)
def test_a_group_of_containers_runs_on_the_raft_that_mq_parts_names(compose_with_parts: Compose) -> None:
    compose = compose_with_parts
    endpoint = ",".join(compose.outside)
    made = run_mq("topic", "create", "bread", "--endpoint", endpoint)
    assert made.code == 0, made
    sent = run_mq("send", "bread", "a loaf", "--endpoint", endpoint)
    assert sent.code == 0, sent
    status = run_mq("raft", "status", "--endpoint", endpoint)
    # A node that is reached from inside and from outside is told once.
    assert sorted(re.findall(r"node (\d): raft is parts_lazy\.Raft, called [1-9]", status.err)) == ["1", "2", "3"], status
    organs = "/parts/labs/stage3_raft/right/lazy.py"
    for name in compose.names:
        container = compose.container(name)
        assert container.exec_run(["cat", organs]).output == (ROOT / "labs/stage3_raft/right/lazy.py").read_bytes()
        (mount,) = (one for one in container.attrs["Mounts"] if one["Destination"] == organs)
        assert mount["RW"] is False
