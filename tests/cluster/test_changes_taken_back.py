"""A change of members that is interrupted halfway is taken back, or gone on with, by whoever comes next."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster.broker_process import free_port, wait_until
from tests.cluster.membership import Members

pytestmark = pytest.mark.cluster


def learners_of(members: Members) -> set[tuple[int, ...]]:
    """As each of the three nodes knows them."""
    return {view.learners if view is not None else (0,) for view in map(members.view, (1, 2, 3))}


def interrupted_add(members: Members, node: int) -> str:
    """`mq raft add` of a node that never catches up, ended with Ctrl-C when the group knows of the node; what it said."""
    endpoint = ",".join(members.clients.values())
    where = ("--peer", f"127.0.0.1:{free_port()}", "--endpoint", endpoint)
    command = [sys.executable, "-m", "mq.cli.main", "raft", "add", str(node), *where]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = process.stderr.readline()
        assert said == f"node {node} is a learner\n"
        wait_until(lambda: learners_of(members) == {(node,)}, "all know of it")
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
        assert process.wait(60) == 130, said
    return said


def test_an_add_that_is_interrupted_is_taken_back_or_gone_on_with(tmp_path: Path) -> None:
    with Members(tmp_path / "cluster") as members:
        said = interrupted_add(members, 4)
        assert "mq: node 4 stays a learner; `add` goes on, and `mq raft remove 4` takes it back" in said
        assert members.mq("topic", "create", "meanwhile").code == 0, "a learner that is not there hinders nobody"
        assert members.mq("raft", "remove", "4", "-o", "json").json == {"voters": [1, 2, 3], "learners": []}
        wait_until(lambda: learners_of(members) == {()}, "nobody knows of it any more")

        interrupted_add(members, 4)
        peer = members.start_newcomer(4)
        added = members.mq("raft", "add", "4", "--peer", peer)
        assert added.code == 0, added
        members.await_voters(1, 2, 3, 4)
        assert len(members.state_hashes(1, 2, 3, 4)) == 1
