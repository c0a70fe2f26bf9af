import pytest
from hypothesis import given
from hypothesis import strategies as st

from mq.client.batch import split_batch
from mq.client.encoding import MessageEncoder
from mq.client.message_ids import ID_EPOCH_S, MessageIds
from mq.core.errors import FormatError, IllegalArgumentError
from mq.core.message import MessageKind
from mq.proto import rocketmq_v2_pb2 as v2

texts = st.text(max_size=200)
times = st.integers(0, 253_402_300_799_999)


def parsed(message_id: str, body: bytes, born_ms: int, keys: list[str], shared: dict[str, object]) -> v2.Message:
    """The same message, made by protobuf."""
    message = v2.Message(body=body, user_properties=shared["properties"])  # type: ignore[arg-type]
    system = message.system_properties
    if shared["tag"]:
        system.tag = str(shared["tag"])
    system.keys.extend(keys)
    system.message_id, system.body_encoding = message_id, v2.IDENTITY
    system.message_type = int(shared["kind"])  # type: ignore[call-overload]
    system.born_timestamp.FromMilliseconds(born_ms)
    system.born_host = str(shared["born_host"])
    if shared["delivery_ms"] is not None:
        system.delivery_timestamp.FromMilliseconds(shared["delivery_ms"])  # type: ignore[arg-type]
    if shared["message_group"]:
        system.message_group = str(shared["message_group"])
    return message


shared_fields = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(MessageKind),
        "tag": texts,
        "properties": st.dictionaries(texts, texts, max_size=3),
        "born_host": texts,
        "message_group": texts,
        "delivery_ms": st.none() | times,
    }
)


@given(st.text(min_size=1, max_size=60), st.binary(min_size=1, max_size=300), times, st.lists(texts, max_size=3), shared_fields)
def test_an_encoded_message_is_what_protobuf_writes(
    message_id: str, body: bytes, born_ms: int, keys: list[str], shared: dict[str, object]
) -> None:
    encoded = MessageEncoder(**shared).encode(message_id, body, born_ms=born_ms, keys=keys)  # type: ignore[arg-type]
    expected = parsed(message_id, body, born_ms, keys, shared)
    assert v2.Message.FromString(encoded) == expected
    assert len(encoded) == expected.ByteSize()


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=20), times, shared_fields, st.integers(1, 140))
def test_a_batch_is_its_messages_one_by_one(bodies: list[bytes], born_ms: int, shared: dict[str, object], id_chars: int) -> None:
    encoder = MessageEncoder(**shared)  # type: ignore[arg-type]
    ids = [f"{number:0{id_chars}}"[-id_chars:] for number in range(len(bodies))]
    one_by_one = [encoder.encode(message_id, body, born_ms=born_ms) for message_id, body in zip(ids, bodies, strict=True)]
    assert encoder.encode_batch(ids, bodies, born_ms=born_ms) == one_by_one
    columns = split_batch(b"".join(bodies), list(map(len, bodies)), shared=encoder.encode_shared(born_ms=born_ms), ids=ids)
    assert [v2.Message.FromString(one) for one in columns] == [v2.Message.FromString(one) for one in one_by_one]


def test_a_batch_needs_an_id_of_the_same_length_for_each_body() -> None:
    with pytest.raises(IllegalArgumentError, match="ids: 1 for 2 bodies"):
        MessageEncoder().encode_batch(["a"], [b"1", b"2"], born_ms=0)
    with pytest.raises(IllegalArgumentError, match="same length"):
        MessageEncoder().encode_batch(["a", "ab"], [b"1", b"2"], born_ms=0)


def test_a_message_id_has_the_parts_of_the_official_clients_ids() -> None:
    ids = MessageIds(bytes.fromhex("a1b2c3d4e5f6"), 0x12345, ID_EPOCH_S + 0x10, counter=0xFFFFFFFE)
    assert ids.next() == "01A1B2C3D4E5F6234500000010FFFFFFFE"
    assert ids.take(3) == [f"01A1B2C3D4E5F6234500000010{tail}" for tail in ("FFFFFFFF", "00000000", "00000001")]
    assert ids.next().endswith("00000002")


def test_a_mac_address_has_six_bytes() -> None:
    with pytest.raises(IllegalArgumentError, match="mac: 4 bytes"):
        MessageIds(b"1234", 1, ID_EPOCH_S)


@given(st.lists(st.binary(max_size=20)), st.integers(0, 5))
def test_a_fetched_batch_comes_apart_where_it_was_joined(messages: list[bytes], skip: int) -> None:
    assert split_batch(b"".join(messages), [len(one) for one in messages], skip) == messages[skip:]


def test_sizes_that_do_not_fit_the_bytes_are_noticed() -> None:
    with pytest.raises(FormatError):
        split_batch(b"abc", [1, 1])
