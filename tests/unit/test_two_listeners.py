"""A second listener for clients with its own advertised list: its settings, and which address is a node's own."""

from pathlib import Path
from typing import Any

import pytest

from mq.core.errors import IllegalArgumentError
from mq.server.config import BrokerConfig

DATA = Path("data")
PEERS = ("1=10.0.0.11", "2=10.0.0.12", "3=10.0.0.13")
INSIDE = ("10.0.0.11:8081", "10.0.0.12:8081", "10.0.0.13:8081")
OUTSIDE = ("127.0.0.1:9003", "127.0.0.1:9001", "127.0.0.1:9002")


def config(**more: Any) -> BrokerConfig:
    told: dict[str, Any] = {"listen": "0.0.0.0:8081", "listen_outside": "0.0.0.0:8082", "advertise_outside": OUTSIDE}
    return BrokerConfig(data=DATA, advertise=INSIDE, peers=PEERS, cluster_secret="0123456789", **{**told, **more})


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"listen_outside": "8082"}, "listen_outside: '8082' is not HOST:PORT"),
        ({"listen_outside": "0.0.0.0:8081"}, "listen_outside: 0.0.0.0:8081 is `listen` already; give another port"),
        ({"listen_outside": ""}, "advertise_outside: nobody is told it without a `listen_outside`"),
        ({"advertise_outside": ("h",)}, "advertise_outside: 'h' is not HOST:PORT"),
        ({"advertise_outside": ("a:1", "b:1")}, "advertise_outside: a:1, b:1 must be one host name"),
    ],
)
def test_a_wrong_second_listener_is_refused_by_field(wrong: dict[str, Any], text: str) -> None:
    with pytest.raises(IllegalArgumentError) as caught:
        config(**wrong)
    assert text in str(caught.value)


def test_each_listener_has_its_own_list() -> None:
    made = config()
    assert [host for host, _ in made.advertised(8081)] == ["10.0.0.11", "10.0.0.12", "10.0.0.13"]
    assert made.advertised_outside(8082) == [("127.0.0.1", 9003), ("127.0.0.1", 9001), ("127.0.0.1", 9002)]


def test_a_second_listener_without_a_list_is_told_as_it_is() -> None:
    alone = BrokerConfig(data=DATA, listen_outside="127.0.0.1:0")
    assert alone.advertised_outside(5) == [("127.0.0.1", 5)]


def test_one_address_for_each_peer_stands_in_the_order_of_their_numbers() -> None:
    made = config(node=2)
    told = made.advertised_outside(8082)
    assert made.own_of(told, ("0.0.0.0", 8082)) == ("127.0.0.1", 9001)


def test_the_own_address_is_the_one_that_is_listened_on_or_the_only_one_or_unknown() -> None:
    made = config(node=2)
    told = made.advertised(8081)
    assert made.own_of(told, ("10.0.0.13", 8081)) == ("10.0.0.13", 8081)
    assert made.own_of(told[:1], ("0.0.0.0", 8081)) == ("10.0.0.11", 8081)
    assert made.own_of(told[:2], ("0.0.0.0", 8081)) is None


def test_which_outside_address_is_whose_is_known_where_there_is_one_for_each() -> None:
    assert config().outside_by_node(8082) == {1: ("127.0.0.1", 9003), 2: ("127.0.0.1", 9001), 3: ("127.0.0.1", 9002)}
    assert config(advertise_outside=OUTSIDE[:1]).outside_by_node(8082) == {}, "all behind one address"
    alone = BrokerConfig(data=DATA, listen_outside="127.0.0.1:0")
    assert alone.outside_by_node(5) == {1: ("127.0.0.1", 5)}
