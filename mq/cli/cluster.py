"""`mq cluster`."""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from mq.cli.cluster_groups import drain_command, groups_command, undrain_command
from mq.cli.cluster_status import note_no_members, print_nodes, promised, show_status
from mq.cli.failing import tidy_end
from mq.cli.options import DURATION, WholeNumber, any_case, backend_options, image_given, output_option, parts_given, parts_option
from mq.cli.output import note, print_json, print_line

if TYPE_CHECKING:
    from mq.cluster.backend import ClusterBackend as Cluster

__all__ = ["cluster_command"]

_F = TypeVar("_F", bound=Callable[..., Any])


def _folder_option(command: _F) -> _F:
    return click.option(
        "--dir", "folder", required=True, type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
        help="The cluster's folder.",
    )(command)  # fmt: skip


def _with_cluster(command: _F) -> _F:
    """Adds `--dir`; the command gets the cluster that is there as its first argument."""

    @_folder_option
    @functools.wraps(command)
    def found(*arguments: Any, folder: Path, **more: Any) -> Any:
        from mq.cluster.opening import cluster_in  # noqa: PLC0415 - not needed for --help

        return command(cluster_in(folder), *arguments, **more)

    return found  # type: ignore[return-value]


def _node_name(cluster: "Cluster", text: str) -> str:
    """A node's name, also for who leads now."""
    from mq.cluster.asking import ask_broker, resolve  # noqa: PLC0415

    return resolve(text, cluster.status(), ask_broker)


@click.group("cluster")
def cluster_command() -> None:
    """Start, stop, kill, pause, cut and heal a cluster on this machine.

    All of a cluster is in the folder of --dir. NODE is a name such as broker-a-1, or its number, or `leader`
    (`leader:broker-a`) for the node that leads now.
    """


for _command in (groups_command, drain_command, undrain_command):
    cluster_command.add_command(_command)


@cluster_command.command("up")
@_folder_option
@click.option("--groups", type=WholeNumber(min=1), help="Broker groups.  [default: 1]")
@click.option("--nodes", type=WholeNumber(min=1), help="Nodes of each group, 1 to 7.  [default: 3]")
@click.option(
    "--registries",
    type=WholeNumber(min=0),
    help="Registry nodes: clients find groups by them.  [default: 0; 1 for several groups]",
)
@backend_options("What nodes run in.  [default: local]")
@click.option(
    "--base-port", "--port", "base_port", type=WholeNumber(0, 65535), metavar="PORT",
    help="Node n listens for clients at PORT + 10n; 0 for any free ports.  [default: 8081, or free ports where one is taken]",
)  # fmt: skip
@click.option(
    "--replication", type=any_case("raft", "master_slave"), help="How nodes copy: `docs/master_slave.md`.  [default: raft]"
)
@click.option("--copy", type=any_case("async", "sync"), help="Of master_slave, what is waited for.  [default: async]")
@click.option(
    "--set", "settings", multiple=True, metavar="NAME=VALUE", help="A setting of `mq broker` for all nodes; can be repeated."
)
@parts_option
@click.option("--direct", "is_direct", is_flag=True, help="No proxy between local processes: faster, and nothing can be cut.")
@output_option
def _up(folder: Path, is_json: bool, **wanted: Any) -> None:  # noqa: FBT001 - click calls it so
    """Start a cluster, new or as it was left, and wait until it serves.

    A folder keeps what its cluster was made with. Where there is one, only --dir is needed: --set and --parts change what they
    name and leave the rest as it was, --image changes what containers are made from, and --port 0 finds other ports for those
    that are taken by now. Any other flag is refused when it says something else than the cluster was made with.
    """
    from mq.cluster.opening import backend_of, check_is_for_a_cluster, cluster_up  # noqa: PLC0415
    from mq.cluster.plan import ClusterPlan  # noqa: PLC0415

    check_is_for_a_cluster(folder)
    plan = ClusterPlan(
        **{name: wanted[name] for name in ("groups", "nodes", "registries", "base_port", "is_direct")},
        settings=dict(map(_setting, wanted["settings"])) | _given(wanted, "replication", "copy"),
        parts=parts_given(wanted["parts"]),
    )  # fmt: skip
    image = image_given(backend_of(folder, wanted["backend"]), wanted["image"])
    with _told_when_nothing_was_made(folder), tidy_end():
        status = cluster_up(folder, plan, backend=wanted["backend"], image=image, others_go_on=True).status()
    if is_json:
        print_json(promised(status))
        note_no_members(status)
        return
    print_nodes(status)
    note_no_members(status)
    note(f"the cluster serves; for other commands: export MQ_ENDPOINT={status.endpoint}")


@contextmanager
def _told_when_nothing_was_made(folder: Path) -> Iterator[None]:
    """Else the next `up` might be given --dir alone, and make another cluster than was meant."""
    from mq.cluster.files import LOGS, ClusterFile  # noqa: PLC0415
    from mq.core.errors import MqError  # noqa: PLC0415

    try:
        yield
    except MqError:
        if (folder / LOGS).exists() and not ClusterFile.exists(folder):
            note(f"no cluster was made in {folder}: the next `up` needs its flags again")
        raise


def _given(wanted: dict[str, Any], *names: str) -> dict[str, str]:
    return {name: wanted[name] for name in names if wanted[name] is not None}


def _setting(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise click.BadParameter(f"{text!r} is not NAME=VALUE, such as segment_bytes=1MiB", param_hint="--set")
    return name.strip().lower().replace("-", "_"), value.strip()


@cluster_command.command("down")
@_with_cluster
@click.option("--volumes", "has_volumes", is_flag=True, help="Of containers: delete what they stored, too.")
def _down(cluster: "Cluster", has_volumes: bool) -> None:  # noqa: FBT001 - click calls it so
    """End all processes of the cluster; what is stored stays for the next `up`."""
    from mq.cluster.files import DATA  # noqa: PLC0415
    from mq.cluster.opening import backend_of  # noqa: PLC0415

    if has_volumes and backend_of(cluster.folder) == "local":
        raise click.BadParameter(
            f"local processes have none; what these stored is in {cluster.folder / DATA}, and yours to delete",
            param_hint="--volumes",
        )
    ended = cluster.down()
    if has_volumes:
        cluster.remove()
    note(f"{ended} processes ended" if ended else "the cluster was down already")


@cluster_command.command("status")
@_with_cluster
@output_option
def _status(cluster: "Cluster", is_json: bool) -> None:  # noqa: FBT001 - click calls it so
    """Show the nodes, who leads, and what is cut or slow.

    CLIENT and PEER: where a node listens for clients and for the other nodes. ROLE: `no member` of a node that its group has
    let go (`mq raft remove`); - of one that does not answer.
    """
    show_status(cluster.status(), cluster.folder, is_json=is_json)


@cluster_command.command("start")
@_with_cluster
@click.argument("node")
def _start(cluster: "Cluster", node: str) -> None:
    """Start NODE again, and what lies between the nodes; wait until it serves, if its group can have a leader."""
    name = _node_name(cluster, node)
    if node.startswith("leader") or _states(cluster)[name] == "running":
        _check_is(cluster, name, "stopped")
    if cluster.start(name):
        note(f"{name} serves")
        return
    status = cluster.status()
    if name in note_no_members(status):
        return
    nodes = status.nodes
    members = [one for one in nodes if one.group == next(own.group for own in nodes if own.name == name)]
    running = sum(one.state == "running" for one in members)
    if _has_master(cluster):
        note(f"{name} runs, and hears no master: it is read from, and takes nothing until it hears one, or `mq broker promote`")
        return
    note(f"{name} runs, but its group has no leader ({running} of {len(members)} nodes run): it turns clients away until it has")


def _has_master(cluster: "Cluster") -> bool:
    from mq.cluster.files import ClusterFile  # noqa: PLC0415

    return ClusterFile.read(cluster.folder).settings.get("replication") == "master_slave"


def _states(cluster: "Cluster") -> dict[str, str]:
    status = cluster.status()
    return {node.name: node.state for node in status.nodes} | {one.name: one.state for one in status.registries}


def _check_is(cluster: "Cluster", name: str, state: str) -> None:
    """What was done to a leader is undone by its name: another one leads by now. Raises: ClusterError naming those that are."""
    from mq.cluster.errors import ClusterError  # noqa: PLC0415

    states = _states(cluster)
    if states.get(name, state) != state:
        those = ", ".join(node for node, found in states.items() if found == state) or "none"
        raise ClusterError(f"{name} is not {state}; {state} now: {those}")


def _two_nodes(cluster: "Cluster", a: str, b: str) -> tuple[str, str]:
    """Their names. Raises: click.UsageError when they are one and the same."""
    first, second = _node_name(cluster, a), _node_name(cluster, b)
    if first == second:
        raise click.UsageError(f"A and B are both {first}: name two nodes")
    return first, second


def _verb(name: str, done: str, text: str, *, of: str = "") -> None:
    """Adds a command that does one thing to one node. of: the state that the node has to be in."""

    @cluster_command.command(name, help=text)
    @_with_cluster
    @click.argument("node")
    def command(cluster: "Cluster", node: str) -> None:
        found = _node_name(cluster, node)
        if of:
            _check_is(cluster, found, of)
        getattr(cluster, name)(found)
        note(f"{found} {done}")


_verb("stop", "is stopped", "End NODE in good order (SIGTERM): it hands leadership over first.")
_verb("kill", "is killed", "End NODE at once (SIGKILL).")
_verb("pause", "is paused", "Let NODE stand still (SIGSTOP), with all its connections open.")
_verb("resume", "goes on", "Let a paused NODE go on (SIGCONT).", of="paused")
_verb("isolate", "is cut off from its group", "Cut NODE off from all others of its group.")


@cluster_command.command("cut")
@_with_cluster
@click.argument("a")
@click.argument("b")
@click.option("--one-way", "is_one_way", is_flag=True, help="Only what A says to B; A still hears B.")
def _cut(cluster: "Cluster", a: str, b: str, is_one_way: bool) -> None:  # noqa: FBT001 - click calls it so
    """Cut nodes A and B off from each other, as silently as a pulled cable."""
    first, second = _two_nodes(cluster, a, b)
    cluster.cut(first, second, is_one_way=is_one_way)
    note(f"{second} hears nothing from {first}" + ("" if is_one_way else ", nor the other way round"))


@cluster_command.command("delay")
@_with_cluster
@click.argument("a")
@click.argument("b")
@click.argument("duration", type=DURATION)
def _delay(cluster: "Cluster", a: str, b: str, duration: int) -> None:
    """Let A and B hear each other later by DURATION, such as 50ms; 0ms ends it."""
    first, second = _two_nodes(cluster, a, b)
    cluster.delay(first, second, duration)
    note(
        f"{first} and {second} hear each other {duration} ms later" if duration else f"{first} and {second} are not slow any more"
    )


@cluster_command.command("heal")
@_with_cluster
def _heal(cluster: "Cluster") -> None:
    """Undo all cuts and delays."""
    cluster.heal()
    note("nothing is cut or slow any more")


@cluster_command.command("logs")
@_folder_option
@click.argument("node")
@click.option("-f", "--follow", "is_followed", is_flag=True, help="And what comes, until Ctrl-C.")
def _logs(folder: Path, node: str, is_followed: bool) -> None:  # noqa: FBT001 - click calls it so
    """Print what NODE wrote; also for `proxy`, which stands between the nodes."""
    from mq.cluster.files import LOGS, ClusterFile  # noqa: PLC0415
    from mq.cluster.opening import cluster_in  # noqa: PLC0415
    from mq.cluster.undoing import lines_left  # noqa: PLC0415

    if not ClusterFile.exists(folder) and any((folder / LOGS).glob("*.log")):
        lines = lines_left(folder, node)
    else:
        cluster = cluster_in(folder)
        lines = cluster.logs(node if node == "proxy" else _node_name(cluster, node), is_followed=is_followed)
    for line in lines:
        print_line(line.rstrip("\n"))
