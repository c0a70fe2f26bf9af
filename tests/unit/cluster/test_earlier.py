"""A cluster that was there before: what of it stays, what changes, what is refused."""

from pathlib import Path

import pytest

from mq.cluster import docker_plan
from mq.cluster.earlier import as_it_was
from mq.cluster.errors import ClusterError
from mq.cluster.files import ClusterFile
from mq.cluster.plan import ClusterPlan
from mq.core.errors import IllegalArgumentError


def local(folder: Path) -> ClusterFile:
    return ClusterPlan(base_port=0, settings={"segment_bytes": "1MiB", "tick_ms": "20"}, parts={"": "theirs"}).make(folder)


def docker(folder: Path) -> ClusterFile:
    plan = ClusterPlan(base_port=0, settings={"segment_bytes": "1MiB"}, parts={"broker-a-1": "theirs"})
    return docker_plan.make(folder, plan, "bakery:1")


@pytest.mark.parametrize("made", [local, docker])
@pytest.mark.parametrize("base_port", [None, 0])
def test_a_plan_that_asks_for_nothing_leaves_all_as_it_was(made: object, base_port: int | None, tmp_path: Path) -> None:
    earlier = local(tmp_path) if made is local else docker(tmp_path)
    found = as_it_was(ClusterPlan(base_port=base_port, command=tuple(earlier.command)), earlier)
    assert found == earlier
    assert found.nodes is not earlier.nodes, "the earlier one stays as it is"


def test_settings_and_organs_that_are_given_change_what_they_name(tmp_path: Path) -> None:
    plan = ClusterPlan(settings={"tick_ms": "30"}, parts={"broker-a-2": "mine", "broker-a-3": ""})
    found = as_it_was(plan, local(tmp_path))
    assert found.settings == {"segment_bytes": "1MiB", "tick_ms": "30"}
    assert found.parts == {"broker-a-1": "theirs", "broker-a-2": "mine"}
    with pytest.raises(IllegalArgumentError, match="tick_ms: 5 is outside of"):
        as_it_was(ClusterPlan(settings={"tick_ms": "5"}), local(tmp_path))
    with pytest.raises(ClusterError, match="there is no node 'broker-a-9'"):
        as_it_was(ClusterPlan(parts={"broker-a-9": "mine"}), local(tmp_path))


def test_containers_keep_their_ports_and_number_too(tmp_path: Path) -> None:
    earlier = docker(tmp_path)
    with pytest.raises(ClusterError, match=r"--nodes 1: .* holds a cluster of 1 x 3 nodes; leave the flag out"):
        as_it_was(ClusterPlan(nodes=1), earlier)
    with pytest.raises(ClusterError, match=r"--port 47000: the nodes of the cluster in .* listen for clients on"):
        as_it_was(ClusterPlan(base_port=47000), earlier)


def test_the_image_of_a_folder_is_the_one_it_was_made_with(tmp_path: Path) -> None:
    assert docker_plan.image_of(tmp_path) == docker_plan.DEFAULT_IMAGE
    docker(tmp_path).write()
    assert docker_plan.image_of(tmp_path) == "bakery:1"


def test_ports_that_fit_the_base_port_are_no_contradiction(tmp_path: Path) -> None:
    earlier = ClusterPlan(nodes=1, base_port=0).make(tmp_path)
    base_port = int(earlier.nodes[0].client.rpartition(":")[2]) - 10
    assert as_it_was(ClusterPlan(nodes=1, base_port=base_port), earlier).nodes == earlier.nodes
