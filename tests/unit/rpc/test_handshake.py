"""Both sides of a connection prove the secret, or say in words why there is no connection."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mq.core.errors import FormatError
from mq.rpc.handshake import NONCE_BYTES, Accepting, Dialing, HandshakeError, Identity, Purpose

SECRET = b"open sesame"
NONCES = (b"d" * NONCE_BYTES, b"a" * NONCE_BYTES)


def identity(node_id: int, group: str = "broker-a", secret: bytes = SECRET) -> Identity:
    return Identity(group, node_id, secret)


def pair(dialer: Identity, accepter: Identity, peer: int = 2, purpose: Purpose = Purpose.RAFT) -> tuple[Dialing, Accepting]:
    return Dialing(dialer, peer, purpose, NONCES[0]), Accepting(accepter, NONCES[1])


def shake(dialing: Dialing, accepting: Accepting) -> None:
    dialing.on_welcome(accepting.on_proof(dialing.on_challenge(accepting.on_hello(dialing.hello))))


@pytest.mark.parametrize("purpose", Purpose)
@pytest.mark.parametrize("secret", [SECRET, b"", b"x" * 1000])
def test_two_nodes_of_a_group_with_one_secret_agree(purpose: Purpose, secret: bytes) -> None:
    dialing, accepting = pair(identity(1, secret=secret), identity(2, secret=secret), purpose=purpose)
    shake(dialing, accepting)
    assert (accepting.peer, accepting.purpose) == (1, purpose)


@pytest.mark.parametrize(
    ("accepter", "text"),
    [
        (identity(2, secret=b"other"), "another secret: node 1 has not"),
        (identity(2, secret=b""), "another secret"),
        (identity(2, group="broker-b"), "another group: 'broker-a' there, 'broker-b' here"),
        (identity(3), "another node id: node 2 was expected here, and this is node 3"),
    ],
)
def test_what_differs_is_said_in_words(accepter: Identity, text: str) -> None:
    with pytest.raises(HandshakeError, match=re.escape(text)) as caught:
        shake(*pair(identity(1), accepter))
    assert "sesame" not in str(caught.value)


def test_a_node_does_not_take_itself_for_a_peer() -> None:
    with pytest.raises(HandshakeError, match="both sides are node 2"):
        shake(*pair(identity(2), identity(2)))


def test_another_version_is_named_by_either_side() -> None:
    dialing, accepting = pair(identity(1), identity(2))
    with pytest.raises(HandshakeError, match="another protocol version: 9 there, 1 here"):
        accepting.on_hello(dialing.hello[:4] + b"\x09")
    with pytest.raises(HandshakeError, match="another protocol version: 9 there, 1 here"):
        dialing.on_challenge(b"\x09 and something newer")


def test_an_accepter_without_the_secret_is_found_out() -> None:
    dialing, accepting = pair(identity(1), identity(2))
    proof = dialing.on_challenge(accepting.on_hello(dialing.hello))
    with pytest.raises(HandshakeError, match="another secret: node 2 has not"):
        dialing.on_welcome(bytes(32))
    # Nor does it help to send the dialer's own proof back.
    with pytest.raises(HandshakeError, match="another secret"):
        dialing.on_welcome(proof)


def proof_for(change: str) -> bytes:
    """The proof of a dialer whose hello or nonce differs in one thing from that of "nothing"."""
    dialing = Dialing(
        identity(3 if change == "dialer" else 1, group="broker-b" if change == "group" else "broker-a"),
        4 if change == "accepter" else 2,
        Purpose.CALLS if change == "purpose" else Purpose.RAFT,
        b"e" * NONCE_BYTES if change == "dialer's nonce" else NONCES[0],
    )
    return dialing.on_challenge(b"\x01" + (b"b" * NONCE_BYTES if change == "accepter's nonce" else NONCES[1]))


@pytest.mark.parametrize("change", ["dialer", "accepter", "group", "purpose", "dialer's nonce", "accepter's nonce"])
def test_a_proof_is_good_for_one_handshake_only(change: str) -> None:
    dialing, accepting = pair(identity(1), identity(2))
    accepting.on_hello(dialing.hello)
    with pytest.raises(HandshakeError, match="another secret"):
        accepting.on_proof(proof_for(change))
    accepting.on_proof(proof_for("nothing"))


def test_a_changed_group_breaks_the_proof_though_the_hello_is_read() -> None:
    dialing, accepting = pair(identity(1, group="broker-a"), identity(2, group="broker-b"))
    challenge = accepting.on_hello(dialing.hello.replace(b"broker-a", b"broker-b"))
    with pytest.raises(HandshakeError, match="another secret"):
        accepting.on_proof(dialing.on_challenge(challenge))


def test_steps_out_of_order_are_refused() -> None:
    dialing, accepting = pair(identity(1), identity(2))
    with pytest.raises(FormatError, match="without a hello"):
        accepting.on_proof(bytes(32))
    with pytest.raises(FormatError, match="without a challenge"):
        dialing.on_welcome(bytes(32))
    challenge = accepting.on_hello(dialing.hello)
    with pytest.raises(FormatError, match="second hello"):
        accepting.on_hello(dialing.hello)
    dialing.on_challenge(challenge)
    with pytest.raises(FormatError, match="second challenge"):
        dialing.on_challenge(challenge)


@given(st.binary(max_size=120) | st.binary(max_size=120).map(lambda tail: b"RMQP\x01\x01" + tail))
def test_any_bytes_are_refused_by_our_own_errors(body: bytes) -> None:
    dialing, accepting = pair(identity(1), identity(2))
    with pytest.raises((FormatError, HandshakeError)):
        accepting.on_hello(body)
    with pytest.raises((FormatError, HandshakeError)):
        dialing.on_welcome(dialing.on_challenge(body))


def test_a_secret_is_not_shown_by_accident() -> None:
    assert "sesame" not in repr(identity(1)) + str(identity(1))
