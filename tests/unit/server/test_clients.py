"""Who is remembered, and for how long, on any node."""

import pytest

from mq.core.limits import CLIENT_LIFETIME_MS
from mq.server import clients
from mq.server.clients import Clients


class Clock:
    """now_ms: the test's."""

    def __init__(self) -> None:
        self.now_ms = 0
        self.clients = Clients(lambda: self.now_ms)


def test_nodes_that_never_lead_forget_who_is_silent() -> None:
    clock = Clock()
    for number in range(300):  # short-lived ones, that never say goodbye
        clock.now_ms += 10_000
        clock.clients.heard(f"client {number}", group="g")
        clock.clients.heard_again("client 0")
    assert len(clock.clients) <= CLIENT_LIFETIME_MS / 10_000 + 2
    assert clock.clients.is_known("client 0")
    assert clock.clients.is_known("client 299")
    assert not clock.clients.is_known("client 1")


def test_there_is_an_end_to_how_many_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "_CLIENTS_MAX", 3)
    clock = Clock()
    for number in range(5):
        clock.clients.heard(f"client {number}")
    assert len(clock.clients) == 3
    clock.now_ms = CLIENT_LIFETIME_MS + 1
    clock.clients.heard("late")
    assert (len(clock.clients), clock.clients.is_known("late")) == (1, True)
