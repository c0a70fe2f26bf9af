"""What the broker decides for its clients, in the dialect that each of them understands."""

import pytest

from mq.core.limits import BODY_BYTES_MAX, RETRY_DELAYS_S
from mq.proto import rocketmq_v2_pb2 as pb
from mq.rpc.settings import answer_settings


def subscription(client_type: "pb.ClientType.ValueType" = pb.PUSH_CONSUMER) -> pb.Settings:
    settings = pb.Settings(client_type=client_type)
    settings.subscription.group.name = "g"
    return settings


def test_the_answer_to_a_producer_has_what_each_official_client_needs() -> None:
    asked = pb.Settings(client_type=pb.PRODUCER)
    asked.publishing.topics.add(name="t")
    answer = answer_settings(asked, is_fifo=False, max_attempts=0, language="JAVA")
    assert answer.backoff_policy.WhichOneof("strategy") == "exponential_backoff"
    assert answer.backoff_policy.max_attempts == 3
    assert (answer.publishing.max_body_size, answer.publishing.validate_message_type) == (BODY_BYTES_MAX, True)
    assert (answer.HasField("metric"), answer.metric.on) == (True, False)
    assert not asked.HasField("backoff_policy"), "the question is left as it was"


@pytest.mark.parametrize("language", ["PYTHON", "JAVA", "GOLANG", "RUST", ""])
def test_consumers_get_the_list_of_delays(language: str) -> None:
    answer = answer_settings(subscription(), is_fifo=True, max_attempts=7, language=language)
    delays = [delay.seconds for delay in answer.backoff_policy.customized_backoff.next]
    assert (answer.subscription.fifo, answer.backoff_policy.max_attempts, delays) == (True, 7, list(RETRY_DELAYS_S))
    # The Python client drops what is below a second.
    assert {delay.nanos for delay in answer.backoff_policy.customized_backoff.next} == {0}


@pytest.mark.parametrize("language", ["HTTP", "http"])
def test_node_gets_delays_that_are_below_a_second_when_it_reads_them_as_milliseconds(language: str) -> None:
    backoff = answer_settings(subscription(), is_fifo=False, max_attempts=17, language=language).backoff_policy
    assert backoff.WhichOneof("strategy") == "exponential_backoff"
    exponential = backoff.exponential_backoff
    assert 0 < exponential.initial.seconds <= exponential.max.seconds < 1000
    assert exponential.multiplier >= 1


@pytest.mark.parametrize("client_type", [pb.LITE_PUSH_CONSUMER, pb.SIMPLE_CONSUMER])
def test_all_consumers_have_a_lite_quota(client_type: "pb.ClientType.ValueType") -> None:
    answer = answer_settings(subscription(client_type), is_fifo=False, max_attempts=17, language="")
    assert (answer.subscription.lite_subscription_quota, answer.subscription.max_lite_topic_size) == (2000, 64)
    assert (answer.subscription.receive_batch_size, answer.subscription.long_polling_timeout.seconds) == (32, 20)
