"""Our description of the client protocol against the official one, both loaded into this one process."""

import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from rocketmq.grpc_protocol import definition_pb2, service_pb2

from mq.core.errors import Code
from mq.core.message import MessageKind, Permission
from mq.proto import broker_v1_pb2, rocketmq_v2_pb2

ROOT = Path(__file__).resolve().parents[3]
OURS, OFFICIAL = "raftmq.rocketmq.v2.", "apache.rocketmq.v2."
YOUNGER_FIELDS = {("Settings", "client_properties")}
YOUNGER_CODES = {"INVALID_CLIENT_PROPERTIES": 40021}


def all_messages(found: dict[str, Descriptor]) -> dict[str, Descriptor]:
    nested = [inner for message in found.values() for inner in message.nested_types]
    return {**found, **{message.full_name.split(".v2.")[1]: message for message in nested}}


def official_messages() -> dict[str, Descriptor]:
    return all_messages({**definition_pb2.DESCRIPTOR.message_types_by_name, **service_pb2.DESCRIPTOR.message_types_by_name})


def our_messages() -> dict[str, Descriptor]:
    return all_messages(dict(rocketmq_v2_pb2.DESCRIPTOR.message_types_by_name))


def shape(field: FieldDescriptor) -> tuple[object, ...]:
    """All that decides how a field lies on the wire, and its name."""
    of = field.message_type or field.enum_type
    kind = of.full_name.replace(OURS, OFFICIAL) if of else None
    group = field.containing_oneof.name if field.containing_oneof else None
    return field.name, field.number, field.type, kind, field.is_repeated, field.has_presence, group


def test_the_official_protocol_was_found_whole() -> None:
    assert len(official_messages()) > 60


def test_we_describe_the_same_messages() -> None:
    ours, official = set(our_messages()), set(official_messages())
    assert ours - official == {"Settings.ClientPropertiesEntry"}
    assert official - ours == set()


@pytest.mark.parametrize("name", sorted(official_messages()))
def test_each_message_has_the_same_fields(name: str) -> None:
    ours = {shape(field) for field in our_messages()[name].fields if (name, field.name) not in YOUNGER_FIELDS}
    assert ours == {shape(field) for field in official_messages()[name].fields}


def test_client_properties_is_field_nine_of_settings() -> None:
    field = rocketmq_v2_pb2.Settings.DESCRIPTOR.fields_by_name["client_properties"]
    assert field.number == 9
    assert field.message_type is not None
    assert [(inner.name, inner.number) for inner in field.message_type.fields] == [("key", 1), ("value", 2)]


def test_enums_have_the_same_names_and_numbers() -> None:
    def values(enum: EnumDescriptor) -> dict[str, int]:
        return {value.name: value.number for value in enum.values}

    official = {enum.name: values(enum) for enum in definition_pb2.DESCRIPTOR.enum_types_by_name.values()}
    official["Code"] |= YOUNGER_CODES
    assert len(official) == 13
    assert {enum.name: values(enum) for enum in rocketmq_v2_pb2.DESCRIPTOR.enum_types_by_name.values()} == official


def test_the_nested_enum_has_the_same_names_and_numbers() -> None:
    ours, official = rocketmq_v2_pb2.OffsetOption.Policy, definition_pb2.OffsetOption.Policy
    assert ours.items() == official.items()


def test_the_service_has_the_same_rpcs() -> None:
    def rpcs(service: object) -> list[tuple[object, ...]]:
        methods = service.methods  # type: ignore[attr-defined]
        return [(m.name, m.input_type.name, m.output_type.name, m.client_streaming, m.server_streaming) for m in methods]

    official = rpcs(service_pb2.DESCRIPTOR.services_by_name["MessagingService"])
    assert len(official) == 17
    assert rpcs(rocketmq_v2_pb2.DESCRIPTOR.services_by_name["MessagingService"]) == official


def test_our_error_codes_are_those_of_the_protocol() -> None:
    for code in Code:
        assert rocketmq_v2_pb2.Code.Name(code.value) == code.name  # type: ignore[arg-type]


def test_message_kinds_and_permissions_are_those_of_the_protocol() -> None:
    for kind in MessageKind:
        assert rocketmq_v2_pb2.MessageType.Value(kind.name) == kind.value
    for permission in Permission:
        assert rocketmq_v2_pb2.Permission.Value(permission.name) == permission.value


def test_every_response_of_our_own_service_begins_with_code_and_message() -> None:
    for method in broker_v1_pb2.DESCRIPTOR.services_by_name["Broker"].methods:
        # SendBatches: many answers at a time, each with its own.
        answer = broker_v1_pb2.BatchSent.DESCRIPTOR if method.name == "SendBatches" else method.output_type
        first, second = answer.fields[:2]
        assert (first.name, first.number, first.type) == ("code", 1, FieldDescriptor.TYPE_INT32), method.name
        assert (second.name, second.number, second.type) == ("message", 2, FieldDescriptor.TYPE_STRING), method.name


def test_sizes_of_a_stored_batch_are_packed() -> None:
    batch = broker_v1_pb2.StoredBatch(sizes=[1, 2, 3])
    assert batch.SerializeToString() == bytes([6 << 3 | 2, 3, 1, 2, 3])


def test_the_generated_files_are_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, "tools/generate_proto.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_changed_generated_file_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "tools").mkdir()
    (tmp_path / "mq" / "proto").mkdir(parents=True)
    for path in [Path("tools/generate_proto.py"), *((ROOT / "mq/proto").iterdir())]:
        source = ROOT / path
        if source.is_file():
            (tmp_path / source.relative_to(ROOT)).write_bytes(source.read_bytes())
    command = [sys.executable, str(tmp_path / "tools/generate_proto.py"), "--check"]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    with (tmp_path / "mq/proto/view_v1_pb2.py").open("a") as file:
        file.write("# changed\n")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "mq/proto/view_v1_pb2.py: differs" in done.stderr
