"""A receipt handle says in front which broker group made it."""

from mq.broker.delivery.receipt import ReceiptHandle
from mq.rpc.handles import broker_of_handle, marked_handle, own_handle

INNER = ReceiptHandle(7, 8, 1, 2, 3, "g", "%DLQ%g").to_text()


def test_only_its_own_broker_group_takes_a_handle_for_one_of_its_own() -> None:
    text = marked_handle("broker-a", INNER)
    assert broker_of_handle(text) == "broker-a"
    assert own_handle("broker-a", text) == INNER
    for other in ("broker-b", "broker", "broker-a-1"):
        assert own_handle(other, text) == ""


def test_what_is_no_handle_of_ours_is_nobodys() -> None:
    for text in ("", "nonsense", INNER, "3 1795456208217 10000 7 0 broker-a 0 3 25244866"):
        assert broker_of_handle(text) == ""
        assert own_handle("broker-a", text) == ""
