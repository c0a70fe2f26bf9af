"""Clusters of local processes: what `mq cluster` starts, it finds again, breaks on demand, and ends without a trace."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from mq.cluster import local, processes
from mq.cluster.asking import Answer
from mq.cluster.errors import ClusterError
from mq.cluster.files import ClusterFile, locked, write_json
from mq.cluster.local import LocalCluster
from mq.cluster.plan import ClusterPlan
from mq.cluster.ports import PortPicker
from mq.core.address import parse_address
from mq.core.errors import IllegalArgumentError
from tests.cluster.broker_process import run_mq, wait_until

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(os.name == "nt", reason="the stand-in node uses signals that Windows does not have"),
]

STAND_IN = (sys.executable, str(Path(__file__).with_name("stand_in_node.py")))
NAMES = ["broker-a-1", "broker-a-2", "broker-a-3"]


def tell(client: str, **request: Any) -> Any:
    """Ask a stand-in node."""
    with socket.create_connection(parse_address(client, "client"), 10) as connection:
        connection.sendall(json.dumps(request).encode() + b"\n")
        return json.loads(connection.makefile().readline())


def ask(client: str) -> Answer | None:
    try:
        found = tell(client, do="describe")
    except (OSError, ValueError):
        return None
    return Answer(found["node"], found["role"], 0)


def processes_of(folder: Path) -> list[psutil.Process]:
    """All processes that were given this folder, or something in it."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        command = process.info["cmdline"] or []
        if process.info["status"] != psutil.STATUS_ZOMBIE and process.pid != os.getpid():
            found += [process] if any(str(folder) in part for part in command) else []
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A cluster's folder; nothing that was started in it outlives the test, and a test that relies on this is told."""
    made = tmp_path / "cluster"
    yield made
    for process in processes_of(made):
        process.kill()


def up(folder: Path, *more: str, **wanted: Any) -> LocalCluster:
    return LocalCluster.up(folder, ClusterPlan(command=(*STAND_IN, *more), base_port=0, **wanted), ask=ask)


def free_row(count: int) -> int:
    """A base port of which the ports for so many nodes are free."""
    with PortPicker() as ports:
        for base in range(20_000, 30_000, 100):
            if all(ports.take(base + 10 * number) for number in range(1, count + 1)):
                return base
    raise AssertionError("no free ports")


@pytest.fixture
def cluster(folder: Path) -> Iterator[LocalCluster]:
    made = up(folder)
    yield made
    made.down()
    assert processes_of(folder) == []


def clients(cluster: LocalCluster) -> dict[str, str]:
    return {node.name: node.client for node in cluster.status().nodes}


def states(cluster: LocalCluster) -> list[str]:
    return [node.state for node in cluster.status().nodes]


# --- up and down


def test_a_cluster_is_up_with_three_nodes_of_their_own_and_down_without_a_trace(folder: Path) -> None:
    cluster = up(folder)
    status = cluster.status()
    assert [(node.name, node.group, node.node) for node in status.nodes] == [(n, "broker-a", i) for i, n in enumerate(NAMES, 1)]
    assert states(cluster) == ["running"] * 3
    assert (status.network, status.cuts, status.delays) == ("running", (), ())
    for node in status.nodes:
        assert node.pid is not None
        assert os.getsid(node.pid) == node.pid, "no Ctrl-C of the terminal reaches it"
        assert Path(node.data) == folder / "data" / node.name
    assert len(processes_of(folder)) == 4, "three nodes and the proxy"
    assert cluster.down() == 4
    assert processes_of(folder) == []
    assert states(cluster) == ["stopped"] * 3
    assert cluster.down() == 0
    assert (folder / "logs" / "broker-a-1.log").read_text().endswith("stopped\n"), "it was ended in good order"


def test_a_later_command_finds_the_cluster_by_its_folder_alone(cluster: LocalCluster) -> None:
    again = LocalCluster(cluster.folder, ask=ask)
    assert again.status() == cluster.status()
    again.kill("broker-a-2")
    assert states(cluster) == ["running", "stopped", "running"]


def test_nodes_are_told_their_peers_by_the_proxy_and_nothing_of_the_callers_environment(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MQ_BROKER_LISTEN", "0.0.0.0:1")
    monkeypatch.setenv("MQ_PARTS", "some.other.module")
    cluster = up(folder, settings={"segment_bytes": "1MiB"}, parts={"broker-a-2": "some.module"})
    file = ClusterFile.read(folder)
    found = {name: tell(client, do="describe") for name, client in clients(cluster).items()}
    flags = found["broker-a-2"]["flags"]
    ports = file.proxy_ports()
    assert flags[flags.index("--peers") + 1] == ",".join([
        f"1=127.0.0.1:{ports['broker-a-2', 'broker-a-1']}", f"2={file.node('broker-a-2').peer}",
        f"3=127.0.0.1:{ports['broker-a-2', 'broker-a-3']}",
    ])  # fmt: skip
    assert flags[-2:] == ["--parts", "some.module"]
    assert "--parts" not in found["broker-a-1"]["flags"]
    assert found["broker-a-1"]["settings"] == {"MQ_BROKER_SEGMENT_BYTES": "1MiB"}
    cluster.down()


def test_secrets_are_for_their_owner_only_and_kept_over_up_and_down(cluster: LocalCluster) -> None:
    secret = cluster.folder / "cluster.secret"
    text = secret.read_text()
    assert len(text.strip()) == 64
    for file in (secret, cluster.folder / "cluster.json"):
        assert file.stat().st_mode & 0o777 == 0o600
    cluster.down()
    (cluster.folder / "data" / "broker-a-1" / "kept").touch()
    up(cluster.folder)
    assert secret.read_text() == text
    assert (cluster.folder / "data" / "broker-a-1" / "kept").exists()


def test_up_twice_in_one_folder_is_refused_and_harms_nothing(cluster: LocalCluster) -> None:
    before = cluster.status()
    with pytest.raises(ClusterError, match=r"is up already; `mq cluster down --dir .*` ends it"):
        up(cluster.folder)
    assert cluster.status() == before


def test_two_ups_at_the_same_moment_make_one_cluster(folder: Path) -> None:
    results: list[object] = []

    def try_it() -> None:
        try:
            results.append(up(folder))
        except ClusterError as error:
            results.append(str(error))

    both = [threading.Thread(target=try_it) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    made = [result for result in results if isinstance(result, LocalCluster)]
    assert len(made) == 1
    assert len(processes_of(folder)) == 4
    made[0].down()


def test_a_folder_keeps_what_its_cluster_was_made_with(folder: Path) -> None:
    base_port = free_row(3)
    made: dict[str, Any] = {"command": STAND_IN, "base_port": base_port, "settings": {"segment_bytes": "1MiB"}, "is_direct": True}
    LocalCluster.up(folder, ClusterPlan(**made, parts={"broker-a-2": "some.module"}), ask=ask).down()
    before = ClusterFile.read(folder)
    cluster = LocalCluster.up(folder, ClusterPlan(command=STAND_IN), ask=ask)
    assert [node.client for node in cluster.status().nodes] == [f"127.0.0.1:{base_port + 10 * number}" for number in (1, 2, 3)]
    assert [node.parts for node in cluster.status().nodes] == ["", "some.module", ""]
    assert cluster.status().network == "direct"
    found = tell(clients(cluster)["broker-a-2"], do="describe")
    assert found["flags"][-2:] == ["--parts", "some.module"]
    assert found["settings"] == {"MQ_BROKER_SEGMENT_BYTES": "1MiB"}
    assert ClusterFile.read(folder) == before
    cluster.down()


def test_what_contradicts_a_cluster_that_is_there_is_refused_by_its_flag_and_changes_nothing(cluster: LocalCluster) -> None:
    cluster.down()
    before = (cluster.folder / "cluster.json").read_bytes()
    wanted: list[tuple[dict[str, Any], str]] = [
        ({"nodes": 5}, "--nodes 5: .* holds a cluster of 1 x 3 nodes; leave the flag out, or give another --dir"),
        ({"groups": 2}, "--groups 2: .* holds a cluster of 1 x 3 nodes"),
        ({"base_port": 4000}, r"--port 4000: the nodes of the cluster in .* listen for clients on \d+, \d+, \d+; leave"),
        ({"is_direct": True}, "--direct: the cluster in .* was made with a proxy between its nodes; leave the flag out"),
    ]
    for different, text in wanted:
        with pytest.raises(ClusterError, match=text):
            LocalCluster.up(cluster.folder, ClusterPlan(**{"command": STAND_IN, **different}), ask=ask)
    with pytest.raises(IllegalArgumentError, match="segment_bytes: 1024 is outside of"):
        up(cluster.folder, settings={"segment_bytes": "1KiB"})
    assert (cluster.folder / "cluster.json").read_bytes() == before
    assert processes_of(cluster.folder) == []


def test_a_clients_port_that_is_taken_by_now_is_told_and_others_move(cluster: LocalCluster) -> None:
    cluster.down()
    file = ClusterFile.read(cluster.folder)
    places = [parse_address(place, "place") for place in (file.nodes[0].client, file.nodes[1].peer)]
    with socket.create_server(places[1]):
        with socket.create_server(places[0]), pytest.raises(ClusterError, match=f"port {places[0][1]} of broker-a-1 is taken"):
            LocalCluster.up(cluster.folder, ClusterPlan(command=STAND_IN), ask=ask)
        again = LocalCluster.up(cluster.folder, ClusterPlan(command=STAND_IN), ask=ask)
        assert clients(again) == {node.name: node.client for node in file.nodes}
        assert again.status().nodes[1].peer != file.nodes[1].peer
        Voices(again).arrives(1, 2, "where it listens now")
        again.down()


def test_a_node_that_dies_while_starting_takes_all_others_along_and_its_last_words_are_shown(folder: Path) -> None:
    with pytest.raises(ClusterError) as caught:
        up(folder, "--dies", "2")
    assert "broker-a-2 ended with exit status 1 while starting; the end of" in str(caught.value)
    assert str(caught.value).endswith("no flour left")
    assert processes_of(folder) == []
    assert up(folder).down() == 4, "the folder can be used again"


def names_in(folder: Path) -> set[str]:
    return {file.relative_to(folder).as_posix() for file in folder.rglob("*")}


def test_an_up_that_fails_takes_back_what_it_made_so_that_another_cluster_can_be_made_there(folder: Path) -> None:
    with pytest.raises(ClusterError, match="broker-a-1 ended with exit status 1"):
        up(folder, "--dies", "1")
    assert {name.partition("/")[0] for name in names_in(folder)} == {"lock", "logs"}
    other = up(folder, nodes=1)
    assert len(other.status().nodes) == 1
    other.down()


def test_an_up_that_fails_leaves_what_was_stored_before_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = folder / "data" / "broker-a-2" / "role"
    kept.parent.mkdir(parents=True)
    kept.write_text("nobody")
    (folder / "traces").mkdir()
    monkeypatch.setattr(local, "_SERVE_S_MAX", 1.0)
    with pytest.raises(ClusterError, match="after 1 s"):
        LocalCluster.up(folder, ClusterPlan(command=STAND_IN, base_port=0, is_under_test=True), ask=lambda _client: None)
    left = {name for name in names_in(folder) if not name.startswith(("logs", "lock"))}
    assert left == {"data", "data/broker-a-2", "data/broker-a-2/role", "traces"}


def test_an_up_that_fails_leaves_an_earlier_cluster_as_it_was(cluster: LocalCluster) -> None:
    cluster.down()
    before = (cluster.folder / "cluster.json").read_bytes()
    with pytest.raises(ClusterError, match="broker-a-1 ended with exit status 1"):
        up(cluster.folder, "--dies", "1", settings={"segment_bytes": "1MiB"}, parts={"": "bad.py"})
    assert (cluster.folder / "cluster.json").read_bytes() == before
    assert (cluster.folder / "data" / "broker-a-1").exists()


def test_a_new_cluster_that_had_a_leader_before_it_failed_stays_with_what_it_may_have_stored(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask_but_the_third(client: str) -> Answer | None:
        answer = ask(client)
        return answer if answer is not None and answer.node != 3 else None

    monkeypatch.setattr(local, "_SERVE_S_MAX", 2.0)
    with pytest.raises(ClusterError, match=r"after 2 s broker-a-3 does not answer"):
        LocalCluster.up(folder, ClusterPlan(command=STAND_IN, base_port=0), ask=ask_but_the_third)
    assert processes_of(folder) == []
    assert ClusterFile.exists(folder)
    assert (folder / "data" / "broker-a-1").exists()


def test_a_node_that_nobody_could_find_again_for_want_of_room_does_not_go_on(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(file: Path, content: dict[str, Any]) -> None:
        if file.name == "broker-a-2.json":
            raise ClusterError(f"{file} cannot be written: No space left on device")
        write_json(file, content)

    monkeypatch.setattr(processes, "write_json", write)
    with pytest.raises(ClusterError, match=r"broker-a-2\.json cannot be written: No space left"):
        up(folder)
    assert processes_of(folder) == []


def test_a_command_that_does_not_exist_is_told_and_leaves_nothing_behind(folder: Path) -> None:
    with pytest.raises(ClusterError, match="no-such-program cannot be started: No such file or directory"):
        LocalCluster.up(folder, ClusterPlan(command=("no-such-program",), base_port=0), ask=ask)
    assert processes_of(folder) == []


def test_a_cluster_that_never_gets_a_leader_is_given_up(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        (folder / "data" / name).mkdir(parents=True)
        (folder / "data" / name / "role").write_text("nobody")
    monkeypatch.setattr(local, "_SERVE_S_MAX", 2.0)
    with pytest.raises(ClusterError, match=r"after 2 s .*broker-a has no leader; what they say is in .*logs"):
        up(folder)
    assert processes_of(folder) == []


def test_a_node_that_ignores_sigterm_is_killed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = up(folder, "--stubborn")
    monkeypatch.setattr(local, "_GRACE_S", 0.2)
    assert cluster.down() == 4
    assert processes_of(folder) == []


def test_a_paused_node_goes_down_like_the_others(cluster: LocalCluster) -> None:
    cluster.pause("broker-a-2")
    assert cluster.down() == 4
    assert processes_of(cluster.folder) == []
    assert (cluster.folder / "logs" / "broker-a-2.log").read_text().endswith("stopped\n")


def test_a_taken_port_is_told_when_it_was_asked_for(folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ClusterError, match=f"port {port} is taken; give another --port, or 0 for any free ones"):
            LocalCluster.up(folder, ClusterPlan(command=STAND_IN, base_port=port - 20), ask=ask)
    assert not ClusterFile.exists(folder)


def test_a_wrong_setting_is_told_before_anything_starts(folder: Path) -> None:
    with pytest.raises(IllegalArgumentError, match="segment_bytes: 1024 is outside of"):
        up(folder, settings={"segment_bytes": "1KiB"})
    with pytest.raises(IllegalArgumentError, match="colour: there is no such field"):
        up(folder, settings={"colour": "red"})
    with pytest.raises(IllegalArgumentError, match="listen: a cluster sets this itself"):
        up(folder, settings={"listen": "127.0.0.1:1"})
    assert not ClusterFile.exists(folder)


# --- one node


def test_a_killed_node_starts_again_where_it_was(cluster: LocalCluster) -> None:
    before = cluster.status().nodes[1]
    cluster.kill("broker-a-2")
    with pytest.raises(ClusterError, match="broker-a-2 does not run; `mq cluster start` starts it"):
        cluster.kill("broker-a-2")
    assert cluster.start("broker-a-2") is True
    after = cluster.status().nodes[1]
    assert (after.client, after.peer, after.data, after.state) == (before.client, before.peer, before.data, "running")
    assert after.pid != before.pid
    with pytest.raises(ClusterError, match="broker-a-2 is running"):
        cluster.start("broker-a-2")


def test_a_stopped_node_had_time_to_finish_and_a_killed_one_had_not(cluster: LocalCluster) -> None:
    cluster.stop("broker-a-1")
    cluster.kill("broker-a-2")
    assert list(cluster.logs("broker-a-1")) == ["node 1 serves\n", "stopped\n"]
    assert list(cluster.logs("broker-a-2")) == ["node 2 serves\n"]
    assert states(cluster) == ["stopped", "stopped", "running"]


def test_a_paused_node_stands_still_until_it_is_resumed(cluster: LocalCluster) -> None:
    cluster.pause("broker-a-3")
    assert states(cluster) == ["running", "running", "paused"]
    with pytest.raises(ClusterError, match="broker-a-3 is paused; `mq cluster resume` lets it go on"):
        cluster.start("broker-a-3")
    cluster.resume("broker-a-3")
    assert states(cluster) == ["running"] * 3
    assert tell(clients(cluster)["broker-a-3"], do="describe")["node"] == 3


def test_to_resume_a_node_that_runs_is_refused_and_says_which_ones_stand_still(cluster: LocalCluster) -> None:
    """As after `pause leader`: another node leads by the time of `resume leader`."""
    cluster.pause("broker-a-3")
    refused = run_mq("cluster", "resume", "broker-a-1", "--dir", str(cluster.folder))
    assert refused.code == 1
    assert "broker-a-1 is not paused; paused now: broker-a-3" in refused.err
    assert run_mq("cluster", "resume", "broker-a-3", "--dir", str(cluster.folder)).code == 0
    assert states(cluster) == ["running"] * 3


def test_without_sigstop_pausing_is_refused_in_words(cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "can_pause", lambda: False)
    with pytest.raises(ClusterError, match=r"this system cannot pause processes \(there is no SIGSTOP\)"):
        cluster.pause("broker-a-1")


def test_a_node_that_dies_at_its_second_start_is_told(cluster: LocalCluster) -> None:
    cluster.kill("broker-a-2")
    cluster._file.command += ["--dies", "2"]
    with pytest.raises(ClusterError, match="broker-a-2 ended with exit status 1 while starting"):
        cluster.start("broker-a-2")
    assert states(cluster) == ["running", "stopped", "running"]


def test_unknown_nodes_are_told_with_those_that_there_are(cluster: LocalCluster) -> None:
    calls: list[Callable[[], object]] = [
        lambda: cluster.kill("broker-b-1"), lambda: cluster.cut("broker-a-1", "broker-b-1"),
        lambda: cluster.isolate("broker-b-1"), lambda: list(cluster.logs("broker-b-1")), lambda: cluster.start("broker-b-1"),
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(ClusterError, match="there is no node 'broker-b-1'; there are broker-a-1, broker-a-2, broker-a-3"):
            call()


# --- pid files that say what is no longer so


def test_a_node_that_died_by_itself_is_seen_as_stopped_and_can_be_started(cluster: LocalCluster) -> None:
    pid = cluster.status().nodes[0].pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: states(cluster)[0] == "stopped", "it is seen")
    assert cluster.status().nodes[0].pid is None
    assert cluster.start("broker-a-1") is True


def test_a_node_that_answers_without_a_leader_in_its_group_does_not_serve(cluster: LocalCluster) -> None:
    for name in NAMES:
        cluster.kill(name)
    assert cluster.start("broker-a-3") is False, "node 1 leads, and does not run"
    assert states(cluster) == ["stopped", "stopped", "running"]
    assert cluster.start("broker-a-1") is True


def test_a_start_after_down_starts_the_proxy_too_so_that_nodes_meet(cluster: LocalCluster) -> None:
    cluster.down()
    for name in ("broker-a-3", "broker-a-1"):
        cluster.start(name)
    assert cluster.status().network == "running"
    Voices(cluster).arrives(1, 3, "through the proxy")


def test_a_start_says_when_the_proxy_cannot_be_started(cluster: LocalCluster) -> None:
    cluster.down()
    with socket.create_server(("127.0.0.1", ClusterFile.read(cluster.folder).control)):
        with pytest.raises(ClusterError, match=r"(?s)proxy ended with exit status 1 while starting.*the proxy cannot listen"):
            cluster.start("broker-a-2")
        cluster.down()


def test_a_number_that_belongs_to_another_process_now_is_left_alone(cluster: LocalCluster) -> None:
    cluster.kill("broker-a-1")
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True) as stranger:
        write_json(cluster.folder / "pids" / "broker-a-1.json", {"pid": stranger.pid, "born": "long ago"})
        assert states(cluster)[0] == "stopped"
        with pytest.raises(ClusterError, match="broker-a-1 does not run"):
            cluster.kill("broker-a-1")
        cluster.down()
        assert stranger.poll() is None, "it has nothing to do with us"
        stranger.kill()


def test_the_birth_of_a_process_tells_it_from_a_later_one() -> None:
    found = processes._look(os.getpid())
    assert found is not None
    assert found[1] == "running"
    assert processes.Process(os.getpid(), found[0]).state == "running"
    assert processes.Process(os.getpid(), found[0] + "0").state == "stopped"
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        born = processes._look(child.pid)
        child.wait()
        assert processes._look(child.pid) is None
    assert born is None or born[0] != found[0]


@pytest.mark.parametrize("verb", ["stop", "kill"])
def test_a_node_that_is_started_again_before_its_end_was_noted_is_found_again(
    verb: str, cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two commands at once: one sees the node end, the other one has started it again before the first is done."""

    def end_and_start_again(ended: Any, *, grace_s: float) -> list[processes.Process]:
        found = end_all(ended, grace_s=grace_s)
        monkeypatch.setattr(local, "end_all", end_all)
        monkeypatch.setattr(processes, "end_all", end_all)
        assert LocalCluster(cluster.folder, ask=ask).start("broker-a-2")
        return found

    end_all = processes.end_all
    monkeypatch.setattr(local, "end_all", end_and_start_again)
    monkeypatch.setattr(processes, "end_all", end_and_start_again)
    getattr(cluster, verb)("broker-a-2")
    assert states(cluster) == ["running"] * 3
    assert len(processes_of(cluster.folder)) == 4


def test_the_note_of_a_node_that_ended_goes_and_stays_while_another_command_is_at_work(cluster: LocalCluster) -> None:
    cluster.kill("broker-a-1")
    assert not (cluster.folder / "pids" / "broker-a-1.json").exists()
    with locked(cluster.folder):
        cluster.kill("broker-a-2")
    assert (cluster.folder / "pids" / "broker-a-2.json").exists()
    assert states(cluster) == ["stopped", "stopped", "running"]


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"pid": "1", "born": ""}', '{"pid": -1, "born": ""}'])
def test_a_note_of_a_process_that_nobody_can_read_is_told(tmp_path: Path, content: str) -> None:
    file = tmp_path / "broker-a-1.json"
    assert processes.Process.read(file) is None
    file.write_text(content)
    with pytest.raises(ClusterError, match=r"broker-a-1\.json (is not what it should be|cannot be read)"):
        processes.Process.read(file)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no ps")
def test_where_there_is_no_proc_ps_says_the_same() -> None:
    found = processes._look_with_ps(os.getpid())
    assert found is not None
    assert found[1] == "running"
    assert processes._look_with_ps(os.getpid()) == found
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        os.kill(child.pid, signal.SIGSTOP)
        wait_until(lambda: (processes._look_with_ps(child.pid) or ("", ""))[1] == "paused", "ps sees it standing still")
        child.kill()
        child.wait()
        assert processes._look_with_ps(child.pid) is None


# --- the network


class Voices:
    """What nodes say to each other."""

    def __init__(self, cluster: LocalCluster) -> None:
        self.client = {int(name[-1]): client for name, client in clients(cluster).items()}

    def say(self, source: int, target: int, text: str) -> None:
        tell(self.client[source], do="say", to=target, text=text)

    def heard(self, node: int) -> list[str]:
        found: list[str] = tell(self.client[node], do="heard")
        return found

    def arrives(self, source: int, target: int, text: str) -> None:
        """Say it until it arrives: a connection that was closed meanwhile may take the first one along."""

        def is_heard() -> bool:
            if f"{source}: {text}" in self.heard(target):
                return True
            self.say(source, target, text)
            return False

        wait_until(is_heard, f"{target} hears {text!r} from {source}")


def test_a_cut_between_real_processes_is_silent_and_healed(cluster: LocalCluster) -> None:
    voices = Voices(cluster)
    for source, target in ((1, 2), (2, 1), (3, 2), (3, 1)):
        voices.arrives(source, target, "before")
    cluster.cut("broker-a-1", "broker-a-2")
    assert cluster.status().cuts == (("broker-a-1", "broker-a-2"), ("broker-a-2", "broker-a-1"))
    voices.say(1, 2, "lost")
    voices.say(2, 1, "lost")
    voices.arrives(3, 2, "meanwhile")
    voices.arrives(3, 1, "meanwhile")
    assert "1: lost" not in voices.heard(2)
    assert "2: lost" not in voices.heard(1)
    cluster.heal()
    voices.arrives(1, 2, "after")
    voices.arrives(2, 1, "after")
    assert cluster.status().cuts == ()


def test_a_cut_one_way_leaves_the_other_way(cluster: LocalCluster) -> None:
    voices = Voices(cluster)
    voices.arrives(1, 2, "before")
    voices.arrives(2, 1, "before")
    cluster.cut("broker-a-1", "broker-a-2", is_one_way=True)
    voices.say(1, 2, "lost")
    voices.arrives(2, 1, "heard")
    voices.arrives(3, 2, "meanwhile")
    assert "1: lost" not in voices.heard(2)


def test_an_isolated_node_is_cut_off_from_all_others_but_they_talk(cluster: LocalCluster) -> None:
    voices = Voices(cluster)
    cluster.isolate("broker-a-2")
    assert len(cluster.status().cuts) == 4
    voices.arrives(1, 3, "between us")
    voices.say(1, 2, "lost")
    voices.say(3, 2, "lost")
    voices.arrives(3, 1, "between us, too")
    assert voices.heard(2) == []


def test_a_delay_is_shown_and_what_is_said_arrives(cluster: LocalCluster) -> None:
    voices = Voices(cluster)
    cluster.delay("broker-a-1", "broker-a-3", 30)
    assert cluster.status().delays == (("broker-a-1", "broker-a-3", 30), ("broker-a-3", "broker-a-1", 30))
    voices.arrives(1, 3, "slowly")


def test_a_killed_node_is_noticed_through_the_proxy_and_heard_again_after_its_start(cluster: LocalCluster) -> None:
    voices = Voices(cluster)
    voices.arrives(1, 2, "before")
    cluster.kill("broker-a-2")
    cluster.start("broker-a-2")
    voices.arrives(1, 2, "after")
    assert "1: before" not in voices.heard(2), "this is a new process"


def test_without_a_proxy_nodes_reach_each_other_and_nothing_can_be_cut(folder: Path) -> None:
    cluster = up(folder, is_direct=True)
    assert len(processes_of(folder)) == 3
    assert cluster.status().network == "direct"
    Voices(cluster).arrives(1, 2, "directly")
    with pytest.raises(ClusterError, match=r"is up without a proxy \(--direct\): nothing can be cut"):
        cluster.cut("broker-a-1", "broker-a-2")
    cluster.down()


def test_a_proxy_that_died_is_told(cluster: LocalCluster) -> None:
    proxy = cluster._needed("proxy")
    os.kill(proxy.pid, signal.SIGKILL)
    wait_until(lambda: cluster.status().network == "stopped", "it is seen")
    with pytest.raises(ClusterError, match=r"the proxy between the nodes does not .*; `mq cluster down`, then `up`"):
        cluster.heal()


# --- with real brokers, by the command line


def test_the_command_line_tells_the_whole_story_of_a_cluster(folder: Path) -> None:
    where = ("--dir", str(folder))
    made = run_mq("cluster", "up", *where, "--nodes", "1", "--base-port", "0", "--set", "segment-bytes=64KiB", "-o", "json")
    assert made.code == 0, made
    assert set(made.json) == {"endpoint", "registries", "nodes"}
    ((node,), endpoint) = made.json["nodes"], made.json["endpoint"]
    assert set(node) == {"name", "group", "node", "pid", "client", "data"}
    assert (node["name"], node["client"], made.json["registries"]) == ("broker-a-1", endpoint, [])
    assert run_mq("topic", "create", "orders", "--endpoint", endpoint).code == 0, "it serves"
    status = run_mq("cluster", "status", *where, "-o", "json").json
    assert [(n["state"], n["role"], n["pid"]) for n in status["nodes"]] == [("running", "leader", node["pid"])]
    killed = run_mq("cluster", "kill", "leader", *where)
    assert (killed.code, killed.err) == (0, "broker-a-1 is killed\n")
    again = run_mq("cluster", "kill", "leader:broker-a", *where)
    assert (again.code, again.err) == (1, "mq: broker-a has no leader now\n")
    assert run_mq("cluster", "start", "broker-a-1", *where).err == "broker-a-1 serves\n"
    assert "orders" in run_mq("topic", "list", "--endpoint", endpoint).out, "with what it had stored"
    assert run_mq("cluster", "logs", "broker-a-1", *where).out.count("serves on") == 2
    assert run_mq("cluster", "down", *where).code == 0
    assert processes_of(folder) == []
    assert (folder / "logs" / "broker-a-1.log").read_text().rstrip().endswith("stopped")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_up_that_is_interrupted_leaves_nothing_behind(folder: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-m", "mq.cli.main", "cluster", "up", "--dir", str(folder), "--base-port", "0"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        wait_until(lambda: (folder / "pids" / "broker-a-1.json").exists() or process.poll() is not None, "a node is started")
        assert process.poll() is None
        process.send_signal(number)
        assert process.wait(60) in (128 + 15, 130)
    assert processes_of(folder) == []


def test_an_up_that_is_killed_leaves_a_cluster_that_the_next_command_finds(folder: Path) -> None:
    command = [sys.executable, "-m", "mq.cli.main", "cluster", "up", "--dir", str(folder), "--base-port", "0"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        wait_until(lambda: (folder / "pids" / "broker-a-1.json").exists() or process.poll() is not None, "a node is started")
        process.kill()
        assert process.wait(60) == -signal.SIGKILL
    again = run_mq("cluster", "up", "--dir", str(folder))
    assert (again.code, "is up already; `mq cluster down --dir" in again.err) == (1, True), again
    assert run_mq("cluster", "down", "--dir", str(folder)).code == 0
    assert processes_of(folder) == []
    assert run_mq("cluster", "up", "--dir", str(folder)).code == 0, "with what the killed one had made"
    assert run_mq("cluster", "down", "--dir", str(folder)).code == 0


def test_an_up_with_organs_that_cannot_be_loaded_is_forgotten_by_the_next_one(folder: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text("raise RuntimeError('no flour left')\n")
    where = ("--dir", str(folder), "--base-port", "0")
    refused = run_mq("cluster", "up", *where, "--parts", str(bad))
    assert (refused.code, "no flour left" in refused.err) == (1, True), refused
    assert run_mq("cluster", "status", "--dir", str(folder)).err.startswith("mq: there is no cluster in")
    made = run_mq("cluster", "up", *where, "--nodes", "1")
    assert (made.code, "has organs of" in made.err) == (0, False), made
    assert run_mq("cluster", "down", "--dir", str(folder)).code == 0


def test_real_brokers_are_killed_and_started_again_as_three(folder: Path) -> None:
    cluster = LocalCluster.up(folder, ClusterPlan(base_port=0))
    cluster.kill("broker-a-2")
    assert states(cluster) == ["running", "stopped", "running"]
    assert cluster.start("broker-a-2") is True
    assert cluster.down() == 4
    alone = run_mq("cluster", "start", "broker-a-3", "--dir", str(folder))
    assert (alone.code, alone.err) == (
        0, "broker-a-3 runs, but its group has no leader (1 of 3 nodes run): it turns clients away until it has\n"
    )  # fmt: skip
    assert run_mq("cluster", "start", "broker-a-1", "--dir", str(folder)).err == "broker-a-1 serves\n", "by the proxy they meet"
    assert cluster.down() == 3
