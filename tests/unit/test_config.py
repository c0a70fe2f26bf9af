import logging
import re
from dataclasses import FrozenInstanceError, fields
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from mq.cli.broker import broker_command
from mq.core.errors import IllegalArgumentError
from mq.server.config import DEFAULT_METRICS_LISTEN, BrokerConfig, load_config
from mq.server.logs import set_up_logs

DATA = Path("data")


def test_the_defaults_are_those_of_the_documentation() -> None:
    config = load_config(None, {}, {"data": "data"})
    assert config == BrokerConfig(
        data=DATA,
        listen="127.0.0.1:8081",
        advertise=(),
        name="broker-a",
        node=1,
        segment_bytes=64 << 20,
        snapshot_every_bytes=256 << 20,
        retention_bytes=0,
        retention_ms=0,
        auto_create_topics=False,
        metrics_listen=DEFAULT_METRICS_LISTEN,
        log_level="info",
        peers=(),
        peer_listen="",
        replication="solo",
        cluster_secret="",
        cluster_secret_file=None,
        tick_ms=50,
        election_ticks=12,
        heartbeat_ticks=2,
        trace="",
        parts="",
    )
    assert config.replication == "solo"


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("data", "text", "data: 'text' is not of type Path"),
        ("listen", "8081", "listen: '8081' is not HOST:PORT"),
        ("listen", "::1:8081", "listen: '::1:8081' is not HOST:PORT"),
        ("listen", "[127.0.0.1]:8081", "'127.0.0.1' is not an IPv6 address"),
        ("listen", "host:65536", "port 65536 is outside of 0 to 65535"),
        ("listen", "a b:1", "'a b' is not a host name"),
        ("advertise", ("host",), "advertise: 'host' is not HOST:PORT"),
        ("advertise", ("host:0",), "port 0 is outside of 1 to 65535"),
        (
            "advertise",
            ("10.0.0.1:1", "host:1"),
            "advertise: 10.0.0.1:1, host:1 must be one host name, or IP addresses of one version",
        ),
        ("advertise", ("10.0.0.1:1", "[::1]:1"), "must be one host name"),
        ("advertise", "10.0.0.1:1", "is not of type tuple"),
        ("name", "", "name: '' must have 1 to 64 characters"),
        ("name", "x" * 65, "must have 1 to 64 characters"),
        ("name", "broker a", "must have 1 to 64 characters"),
        ("node", 0, "node: 0 is outside of 1 to 255"),
        ("node", True, "node: True is not of type int"),
        ("segment_bytes", (64 << 10) - 1, "segment_bytes: 65535 is outside of 65536 to 1073741824"),
        ("segment_bytes", (1 << 30) + 1, "segment_bytes: 1073741825 is outside of"),
        ("snapshot_every_bytes", 0, "snapshot_every_bytes: 0 is outside of"),
        ("retention_bytes", -1, "retention_bytes: -1 is outside of 0"),
        ("retention_ms", 1.5, "retention_ms: 1.5 is not of type int"),
        ("auto_create_topics", 1, "auto_create_topics: 1 is not of type bool"),
        ("metrics_listen", "9", "metrics_listen: '9' is not HOST:PORT"),
        ("log_level", "loud", "log_level: 'loud' is not one of debug, info, warning, error"),
        ("peers", ("127.0.0.1:1",), "'127.0.0.1:1' is not NUMBER=HOST:PORT, such as 1=127.0.0.1:10921"),
        ("peers", ("x=127.0.0.1:1",), "is not NUMBER=HOST:PORT"),
        ("peers", ("1=",), "is not HOST:PORT"),
        ("peers", ("1=h:0",), "port 0 is outside of 1 to 65535"),
        ("peers", ("1=::1:5",), "is not HOST:PORT"),
        ("peers", ("0=h:1",), "node 0 is outside of 1 to 255"),
        ("peers", ("256=h:1",), "node 256 is outside of 1 to 255"),
        ("peers", ("1=h:1", "1=h:2"), "node 1 stands there twice"),
        ("peers", ("1=h:1", "2=h:1"), "two nodes cannot both be at h:1"),
        ("peers", ("2=127.0.0.1:2", "3=127.0.0.1:3"), "node 1 itself must be among them; there are [2, 3]"),
        ("peers", tuple(f"{n}=h:{n}" for n in range(1, 9)), "8 nodes are outside of 1 to 7"),
        ("peers", "1=h:1", "is not of type tuple"),
        ("peer_listen", "10921", "'10921' is not HOST:PORT"),
        ("replication", "raftt", "replication: 'raftt' is not one of solo, master_slave, raft"),
        ("replication", "Master_Slave", "master_slave needs --peers"),
        ("copy", "sync", "add --replication master_slave"),
        ("cluster_secret", 12345678, "what is given is not of type str"),
        ("cluster_secret", "x" * 4097, "4097 bytes are more than 4096"),
        ("cluster_secret_file", Path("no-such-file"), "no-such-file cannot be read: No such file or directory"),
        ("cluster_secret_file", Path(), "cannot be read"),
        ("tick_ms", 9, "tick_ms: 9 is outside of 10 to 1000"),
        ("tick_ms", 1001, "tick_ms: 1001 is outside of 10 to 1000"),
        ("heartbeat_ticks", 0, "heartbeat_ticks: 0 is outside of 1 to 999"),
        ("election_ticks", 2, "election_ticks: 2 is outside of 3 to 1000"),
    ],
)
def test_a_value_outside_its_limits_is_refused_by_field_and_limit(field: str, value: object, text: str) -> None:
    with pytest.raises(IllegalArgumentError) as caught:
        BrokerConfig(**{"data": DATA, field: value})  # type: ignore[arg-type]
    assert str(caught.value).startswith(f"{field}: ")
    assert text in str(caught.value)


def test_limits_themselves_are_allowed() -> None:
    low = BrokerConfig(data=DATA, name="x" * 64, node=255, segment_bytes=64 << 10, listen="[::1]:0", log_level="DEBUG")
    high = BrokerConfig(data=DATA, segment_bytes=1 << 30, advertise=("10.0.0.1:1", "10.0.0.2:65535"), metrics_listen="0.0.0.0:0")
    assert (low.listen_address, low.node, low.segment_bytes) == (("::1", 0), 255, 64 << 10)
    assert high.advertised(8081) == [("10.0.0.1", 1), ("10.0.0.2", 65535)]


def test_data_must_not_be_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(IllegalArgumentError, match="is not a folder"):
        BrokerConfig(data=tmp_path / "file")


def test_a_config_is_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        BrokerConfig(data=DATA).node = 2  # type: ignore[misc]


def test_later_sources_win(tmp_path: Path) -> None:
    file = tmp_path / "mq.yaml"
    file.write_text(
        "data: from-file\nname: from-file\nnode: 2\nsegment_bytes: 1MiB\nadvertise: [10.0.0.1:1, 10.0.0.2:2]\nretention_ms: 7d\n"
    )
    environment = {
        "MQ_BROKER_NAME": "from-environment",
        "MQ_BROKER_NODE": "3",
        "MQ_BROKER_AUTO_CREATE_TOPICS": "Yes",
        "PATH": "/bin",
    }
    config = load_config(file, environment, {"node": 4, "log_level": None, "retention_bytes": "2GiB"})
    assert config.data == Path("from-file")
    assert (config.name, config.node, config.segment_bytes) == ("from-environment", 4, 1 << 20)
    assert (config.advertise, config.auto_create_topics) == (("10.0.0.1:1", "10.0.0.2:2"), True)
    assert (config.retention_ms, config.retention_bytes, config.log_level) == (7 * 86_400_000, 2 << 30, "info")


def test_every_field_can_come_from_the_environment_as_text() -> None:
    texts = {
        "data": "d", "listen": "h:1", "advertise": "10.0.0.1:1, 10.0.0.2:2", "name": "n", "node": "7", "segment_bytes": "128KiB",
        "snapshot_every_bytes": "1gib", "retention_bytes": "5", "retention_ms": "1500", "auto_create_topics": "1",
        "metrics_listen": "", "log_level": "ERROR", "peers": "7=127.0.0.1:1, 8=127.0.0.1:2", "peer_listen": "127.0.0.1:3",
        "replication": "RAFT", "copy": "", "cluster_secret": "s", "cluster_secret_file": "", "tick_ms": "20ms",
        "election_ticks": "9", "heartbeat_ticks": "3", "trace": "t-{name}-{node}", "parts": "p",
        "listen_outside": "0.0.0.0:5", "advertise_outside": "127.0.0.1:5", "registry": "h:1, h:2", "registry_times": "FAST",
    }  # fmt: skip
    assert set(texts) == {field.name for field in fields(BrokerConfig)}
    config = load_config(None, {f"MQ_BROKER_{name.upper()}": text for name, text in texts.items()})
    assert config == BrokerConfig(
        data=Path("d"), listen="h:1", advertise=("10.0.0.1:1", "10.0.0.2:2"), name="n", node=7, segment_bytes=128 << 10,
        snapshot_every_bytes=1 << 30, retention_bytes=5, retention_ms=1500, auto_create_topics=True, log_level="ERROR",
        peers=("7=127.0.0.1:1", "8=127.0.0.1:2"), peer_listen="127.0.0.1:3", replication="raft", cluster_secret="s", tick_ms=20,
        election_ticks=9, heartbeat_ticks=3, trace="t-{name}-{node}", parts="p",
        listen_outside="0.0.0.0:5", advertise_outside=("127.0.0.1:5",), registry=("h:1", "h:2"), registry_times="FAST",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("segmentbytes: 1MiB", "segmentbytes: there is no such field; did you mean segment_bytes? (`segmentbytes` in FILE)"),
        ("colour: red", "colour: there is no such field; there are data, listen,"),
        ("segment_bytes: 1 potato", "segment_bytes: '1 potato' is not a number with a unit, such as 64MiB"),
        ("node: many", "node: 'many' is not a whole number (`node` in FILE)"),
        ("node: 300", "node: 300 is outside of 1 to 255 (`node` in FILE)"),
        ("auto_create_topics: perhaps", "auto_create_topics: 'perhaps' is not true or false (`auto_create_topics` in FILE)"),
        ("listen: 8081", "listen: 8081 is not of type str (`listen` in FILE)"),
        ("just text", "config: FILE must hold fields with values"),
        ("a: [", "config: FILE is not YAML"),
        ("\x00", "config: FILE is not YAML"),
    ],
)
def test_a_mistake_in_the_file_is_named_with_its_place(tmp_path: Path, content: str, text: str) -> None:
    file = tmp_path / "mq.yaml"
    file.write_text(content)
    with pytest.raises(IllegalArgumentError) as caught:
        load_config(file, {}, {"data": "d"})
    assert text.replace("FILE", str(file)) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_mistake_in_the_environment_is_named_with_its_variable() -> None:
    with pytest.raises(IllegalArgumentError, match=r"did you mean listen\? \(environment MQ_BROKER_LISTN\)"):
        load_config(None, {"MQ_BROKER_LISTN": "h:1"}, {"data": "d"})
    with pytest.raises(IllegalArgumentError, match=r"outside of 1 to 255 \(environment MQ_BROKER_NODE\)"):
        load_config(None, {"MQ_BROKER_NODE": "0"}, {"data": "d"})


def test_parts_have_a_shorter_name_in_the_environment_which_is_as_good(tmp_path: Path) -> None:
    file = tmp_path / "mq.yaml"
    file.write_text("parts: of-the-file\n")
    assert load_config(None, {"MQ_PARTS": "work/lab1a"}, {"data": "d"}).parts == "work/lab1a"
    assert load_config(file, {"MQ_PARTS": "work/lab1a"}, {"data": "d"}).parts == "work/lab1a", "over the file"
    assert load_config(None, {"MQ_PARTS": "work/lab1a"}, {"data": "d", "parts": "x"}).parts == "x", "below the flag"
    assert load_config(None, {"MQ_PARTS": "same", "MQ_BROKER_PARTS": "same"}, {"data": "d"}).parts == "same"


def test_an_empty_short_name_is_as_none_since_compose_hands_it_on_when_nobody_set_it(tmp_path: Path) -> None:
    file = tmp_path / "mq.yaml"
    file.write_text("parts: of-the-file\n")
    assert load_config(file, {"MQ_PARTS": ""}, {"data": "d"}).parts == "of-the-file"
    assert load_config(None, {"MQ_PARTS": "", "MQ_BROKER_PARTS": "long"}, {"data": "d"}).parts == "long"
    assert load_config(file, {"MQ_BROKER_PARTS": ""}, {"data": "d"}).parts == "", "the long name is as all others are"


@pytest.mark.parametrize("long", ["other", ""])
def test_two_names_of_parts_that_say_two_things_are_a_mistake(long: str) -> None:
    with pytest.raises(IllegalArgumentError) as caught:
        load_config(None, {"MQ_PARTS": "work/lab1a", "MQ_BROKER_PARTS": long}, {"data": "d"})
    assert str(caught.value) == f"parts: MQ_PARTS is 'work/lab1a', and MQ_BROKER_PARTS is {long!r}: which one is meant?"


def test_a_kubernetes_service_of_our_name_does_no_harm() -> None:
    names = ("SERVICE_HOST", "SERVICE_PORT", "SERVICE_PORT_GRPC", "PORT", "PORT_8081_TCP", "PORT_8081_TCP_ADDR")
    linked = {f"MQ_BROKER_{name}": "tcp://10.0.0.1:8081" for name in names}
    assert load_config(None, linked, {"data": "d"}) == load_config(None, {}, {"data": "d"})


def test_an_empty_file_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "mq.yaml"
    file.write_text("# nothing\n")
    assert load_config(file, {}, {"data": "d"}) == load_config(None, {}, {"data": "d"})


def test_without_a_data_folder_the_ways_to_give_one_are_told() -> None:
    with pytest.raises(IllegalArgumentError, match="data: a folder is needed: --data DIR, MQ_BROKER_DATA"):
        load_config(None, {}, {})


def test_addresses_come_apart_and_routes_tell_the_real_port() -> None:
    config = BrokerConfig(data=DATA, listen="[::1]:0")
    assert config.listen_address == ("::1", 0)
    assert config.advertised(1234) == [("::1", 1234)]
    assert BrokerConfig(data=DATA, listen="0.0.0.0:1", advertise=("h:5",)).advertised(1) == [("h", 5)]


def test_a_broker_on_all_addresses_does_not_tell_clients_to_connect_to_none() -> None:
    ((host, port),) = BrokerConfig(data=DATA, listen="0.0.0.0:8081").advertised(8081)
    assert host not in ("", "0.0.0.0")
    assert port == 8081


# --- the group

PEERS = ("1=127.0.0.1:10931", "2=localhost:10941", "3=[::1]")


def test_peers_are_addresses_by_node_and_mean_raft() -> None:
    config = BrokerConfig(data=DATA, peers=PEERS)
    assert config.peer_addresses == {1: ("127.0.0.1", 10931), 2: ("localhost", 10941), 3: ("::1", 10921)}
    assert config.replication == "raft"


def test_raft_without_peers_is_a_group_of_one_that_listens_for_nobody() -> None:
    config = BrokerConfig(data=DATA, replication="Raft")
    assert (config.replication, config.peer_addresses, config.peer_listen_address) == ("raft", {}, None)


def test_solo_with_peers_is_a_contradiction_and_told_with_its_source() -> None:
    with pytest.raises(IllegalArgumentError, match=r"^replication: solo copies nothing to anyone.*\(--replication\)$"):
        load_config(None, {}, {"data": "d", "peers": ",".join(PEERS), "replication": "solo"})


@pytest.mark.parametrize(
    ("own", "listen", "expected"),
    [
        ("127.0.0.1:5", "", ("127.0.0.1", 5)),
        ("[::1]:5", "", ("::1", 5)),
        ("localhost:5", "", ("localhost", 5)),
        ("10.0.0.1:5", "", ("0.0.0.0", 5)),
        ("broker-a-1", "", ("0.0.0.0", 10921)),
        ("[2001:db8::1]:5", "", ("::", 5)),
        ("10.0.0.1:5", "10.0.0.2:6", ("10.0.0.2", 6)),
        ("127.0.0.1:5", "127.0.0.1:0", ("127.0.0.1", 0)),
    ],
)
def test_a_node_listens_for_its_peers_at_its_own_port(own: str, listen: str, expected: tuple[str, int]) -> None:
    config = BrokerConfig(data=DATA, peers=(f"1={own}",), peer_listen=listen, cluster_secret="s")
    assert config.peer_listen_address == expected


@pytest.mark.parametrize("settings", [{"peers": ("1=10.0.0.1:1",)}, {"peers": ("1=127.0.0.1:1",), "peer_listen": "0.0.0.0:1"}])
def test_without_a_secret_a_group_stays_on_its_machine(settings: dict[str, Any]) -> None:
    assert BrokerConfig(data=DATA, peers=PEERS).cluster_secret == ""
    with pytest.raises(IllegalArgumentError, match=r"^cluster_secret: 1?0.0.0.\d:1 can be reached from other machines"):
        BrokerConfig(data=DATA, **settings)
    assert BrokerConfig(data=DATA, cluster_secret="s", **settings).replication == "raft"


def test_the_secret_of_the_file_wins_and_loses_its_newline(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("  from the file\n")
    config = load_config(None, {"MQ_BROKER_CLUSTER_SECRET": "other"}, {"data": "d", "cluster_secret_file": str(file)})
    assert config.cluster_secret == "from the file"
    file.write_text("\n")
    with pytest.raises(IllegalArgumentError, match=r"cluster_secret_file: .* is empty \(--cluster-secret-file\)"):
        load_config(None, {}, {"data": "d", "cluster_secret_file": str(file)})
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(IllegalArgumentError, match="is not text in UTF-8"):
        BrokerConfig(data=DATA, cluster_secret_file=file)


def test_the_secret_is_never_shown(tmp_path: Path) -> None:
    assert "hush" not in repr(BrokerConfig(data=DATA, cluster_secret="hush"))
    file = tmp_path / "mq.yaml"
    file.write_text("cluster_secret: [hush]\n")
    with pytest.raises(IllegalArgumentError) as caught:
        load_config(file, {}, {"data": "d"})
    assert str(caught.value).startswith("cluster_secret: ")
    assert "hush" not in str(caught.value)


def test_each_node_of_a_group_has_a_trace_of_its_own() -> None:
    config = BrokerConfig(data=DATA, peers=PEERS, trace="/t/{name}.{node}")
    assert config.trace_file == Path("/t/broker-a.1")
    assert BrokerConfig(data=DATA, peers=PEERS).trace_file is None
    assert BrokerConfig(data=DATA, trace="/t/{node}").trace_file is None  # a node by itself does nothing that a trace tells


# --- logs


@pytest.fixture
def _restored_logging() -> object:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


def logged(level: str) -> str:
    stream = StringIO()
    set_up_logs(level, stream)
    log = logging.getLogger("mq.server.node")
    log.debug("details")
    log.info("two\nlines %d", 2)
    try:
        int("why")
    except ValueError:
        log.exception("it failed")
    return stream.getvalue()


@pytest.mark.usefixtures("_restored_logging")
def test_a_log_line_has_time_level_component_and_text_and_no_traceback() -> None:
    first, second = logged("info").splitlines()
    assert first[23:] == " INFO    node: two\\nlines 2"
    assert first[4] == first[7] == "-"
    assert first[19] == "."
    assert second[23:] == " ERROR   node: it failed: ValueError: invalid literal for int() with base 10: 'why'"


@pytest.mark.usefixtures("_restored_logging")
def test_tracebacks_are_for_debugging() -> None:
    text = logged("DEBUG")
    assert "DEBUG   node: details" in text
    assert "Traceback" in text


@pytest.mark.usefixtures("_restored_logging")
def test_an_error_that_the_text_already_tells_is_not_told_twice() -> None:
    stream = StringIO()
    set_up_logs("info", stream)
    error = ValueError("why")
    logging.getLogger("mq.x").error("it failed: ValueError: why", exc_info=error)
    assert stream.getvalue().count("why") == 1


@pytest.mark.usefixtures("_restored_logging")
def test_setting_logs_up_again_does_not_double_the_lines() -> None:
    logged("info")
    assert len(logged("info").splitlines()) == 2


def test_an_unknown_log_level_is_refused() -> None:
    with pytest.raises(IllegalArgumentError, match="log_level: 'loud' is not one of"):
        set_up_logs("loud")


def test_the_help_tells_the_defaults_that_count() -> None:
    told = {}
    for option in broker_command.params:
        found = re.search(r"\[default: ([^\]]+)\]", getattr(option, "help", None) or "")
        if found and re.fullmatch(r"[\w.:]+", found[1]) and found[1] not in ("none", "no"):
            assert option.name is not None
            told[option.name] = found[1]
    assert {"segment_bytes", "snapshot_every_bytes", "tick_ms", "election_ticks", "log_level"} <= told.keys()
    assert load_config(None, {}, {"data": "data", **told}) == load_config(None, {}, {"data": "data"})
