"""Settings of a broker process: from a file, the environment and flags, and wrong ones told before anything starts."""

from pathlib import Path

import pytest

from tests.cluster.broker_process import BrokerProcess, run_mq
from tests.cluster.caller import Caller


def test_flags_win_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "broker.yaml"
    file.write_text("name: from-file\nsegment_bytes: 64KiB\nauto_create_topics: true\nnode: 7\n")
    environment = {"MQ_BROKER_NAME": "from-environment", "MQ_BROKER_NODE": "8"}
    with BrokerProcess(tmp_path, "--config", str(file), "--node", "9", environment=environment) as broker:
        (found,) = [broker.mq("health", "-o", "json").json]
        with Caller(broker.endpoint) as client:
            client.send("made-by-a-send", "id-1", b"bread")
        assert broker.mq("topic", "describe", "made-by-a-send").code == 0
        (segment,) = broker.segments()
        assert segment.stat().st_size == 64 << 10
        shown = str(found)
        assert "from-environment" in shown
        assert "from-file" not in shown
        assert "9" in shown
        assert broker.terminate() == 0


@pytest.mark.parametrize(
    ("text", "environment", "flags", "said"),
    [
        ("segment_bytes: 1KiB", {}, [], "segment_bytes: 1024 is outside of 65536 to 1073741824 (64.0 KiB to 1.0 GiB) (`segment"),
        ("segmnt_bytes: 64KiB", {}, [], "segmnt_bytes: there is no such field; did you mean segment_bytes?"),
        ("- a list", {}, [], "must hold fields with values"),
        ("name: [", {}, [], "is not YAML"),
        ("", {"MQ_BROKER_NODE": "many"}, [], "node: 'many' is not a whole number (environment MQ_BROKER_NODE)"),
        ("", {"MQ_BROKER_AUTO_CREATE_TOPICS": "perhaps"}, [], "auto_create_topics: 'perhaps' is not true or false"),
        ("", {}, ["--listen", "nowhere"], "listen"),
        ("", {}, ["--retention-ms", "soon"], "retention_ms"),
        ("", {}, ["--name", "a b"], "name: 'a b'"),
        ("", {}, ["--metrics", "127.0.0.1"], "metrics_listen"),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_named_with_its_limit_and_where_it_came_from(
    tmp_path: Path, text: str, environment: dict[str, str], flags: list[str], said: str
) -> None:
    file = tmp_path / "broker.yaml"
    file.write_text(text)
    data = tmp_path / "data"
    ran = run_mq("broker", "--data", str(data), "--config", str(file), *flags, environment=environment)
    assert ran.code == 2
    assert said in ran.err
    assert "Traceback" not in ran.err
    assert not data.exists(), "nothing is made before the settings are checked"
