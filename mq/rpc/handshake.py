"""How two nodes prove to each other that they know the cluster's secret, before anything else is said.

| frame     | from     | says                                                                         |
|-----------|----------|------------------------------------------------------------------------------|
| HELLO     | dialer   | protocol version, purpose, group, who I am, whom I expect, a nonce           |
| CHALLENGE | accepter | protocol version, a nonce                                                    |
| PROOF     | dialer   | HMAC-SHA256 over "dialer" and all of the above                               |
| WELCOME   | accepter | HMAC-SHA256 over "accepter" and the same                                     |

The dialer proves first: who only knocks learns nothing that is made with the secret. Each proof depends on both nonces, so an
old one is worth nothing, and on the role, so a node's own proof cannot be sent back to it. What follows is neither encrypted
nor signed: the secret keeps out a stranger and a node of another group, not someone who rewrites packets on the way.

An empty secret is proved like any other. Nonces are arguments: from a cryptographic source, never used twice.
"""

import hmac
from enum import IntEnum
from struct import Struct
from typing import NamedTuple

from mq.core.errors import Code, Fault, FormatError, MqError

__all__ = ["NONCE_BYTES", "Accepting", "Dialing", "HandshakeError", "Identity", "Purpose"]

NONCE_BYTES = 32
_VERSION = 1
_MAGIC = b"RMQP"
_PROOF_BYTES = 32
_HELLO = Struct("<4sBBQQ32s")
_CHALLENGE = Struct("<B32s")
_NOT_OURS = "another secret: node {} has not the cluster secret that this node has (--cluster-secret-file)"


class HandshakeError(MqError):
    """The other side is not who it should be; the message says in what it differs, and nothing that is secret."""

    code = Code.FORBIDDEN
    fault = Fault.PEER


class Purpose(IntEnum):
    """What a connection is for. The number goes over the wire: never reuse one."""

    RAFT = 1
    CALLS = 2


class Identity(NamedTuple):
    """Who a node is, and what it knows."""

    group: str
    node_id: int
    secret: bytes

    def __repr__(self) -> str:
        return f"Identity(group={self.group!r}, node_id={self.node_id})"  # a secret is not shown


def _proof(secret: bytes, role: bytes, hello: bytes, challenge: bytes) -> bytes:
    # HELLO and CHALLENGE have their parts in fixed places but for the group, which is HELLO's end: its length makes it one
    # reading only.
    said = b"".join((_MAGIC, role, len(hello).to_bytes(4, "little"), hello, challenge))
    return hmac.digest(secret, said, "sha256")


def _check_version(version: int) -> None:
    if version != _VERSION:
        raise HandshakeError(f"another protocol version: {version} there, {_VERSION} here")


class Dialing:
    """The side that opened the connection: `hello`, then `on_challenge`, then `on_welcome`."""

    def __init__(self, identity: Identity, peer: int, purpose: Purpose, nonce: bytes) -> None:
        self._identity, self.peer = identity, peer
        start = _HELLO.pack(_MAGIC, _VERSION, purpose, identity.node_id, peer, nonce)
        self.hello = start + identity.group.encode()
        self._challenge: bytes | None = None

    def on_challenge(self, body: bytes) -> bytes:
        """The body of PROOF. Raises: HandshakeError, FormatError."""
        if self._challenge is not None:
            raise FormatError("a second challenge")
        if not body:
            raise FormatError("an empty challenge")
        _check_version(body[0])
        if len(body) != _CHALLENGE.size:
            raise FormatError(f"a challenge of {len(body)} bytes")
        self._challenge = body
        return _proof(self._identity.secret, b"dialer", self.hello, body)

    def on_welcome(self, body: bytes) -> None:
        """The other side is who it should be, if this raises nothing. Raises: HandshakeError, FormatError."""
        if self._challenge is None:
            raise FormatError("a welcome without a challenge")
        if not hmac.compare_digest(body, _proof(self._identity.secret, b"accepter", self.hello, self._challenge)):
            raise HandshakeError(_NOT_OURS.format(self.peer))


class Accepting:
    """The side that was called: `on_hello`, then `on_proof`; then `peer` and `purpose` are true."""

    def __init__(self, identity: Identity, nonce: bytes) -> None:
        self._identity = identity
        self._challenge = _CHALLENGE.pack(_VERSION, nonce)
        self._hello: bytes | None = None
        self.peer = 0
        self.purpose = Purpose.RAFT

    def on_hello(self, body: bytes) -> bytes:
        """The body of CHALLENGE. Raises: HandshakeError, FormatError."""
        if self._hello is not None:
            raise FormatError("a second hello")
        if body[:4] != _MAGIC or len(body) < 5:
            raise FormatError("a hello that is none of ours")
        _check_version(body[4])
        if len(body) < _HELLO.size:
            raise FormatError(f"a hello of {len(body)} bytes")
        _, _, purpose, self.peer, expected, _ = _HELLO.unpack_from(body)
        try:
            self.purpose, group = Purpose(purpose), body[_HELLO.size :].decode()
        except ValueError as error:
            raise FormatError(f"a hello that cannot be read: {error}") from error
        mine = self._identity
        if group != mine.group:
            raise HandshakeError(f"another group: {group[:120]!r} there, {mine.group!r} here")
        if expected != mine.node_id:
            raise HandshakeError(f"another node id: node {expected} was expected here, and this is node {mine.node_id}")
        if self.peer == mine.node_id:
            raise HandshakeError(f"another node id is needed: both sides are node {self.peer}")
        self._hello = body
        return self._challenge

    def on_proof(self, body: bytes) -> bytes:
        """The body of WELCOME. Raises: HandshakeError, FormatError."""
        if self._hello is None:
            raise FormatError("a proof without a hello")
        if not hmac.compare_digest(body, _proof(self._identity.secret, b"dialer", self._hello, self._challenge)):
            raise HandshakeError(_NOT_OURS.format(self.peer))
        return _proof(self._identity.secret, b"accepter", self._hello, self._challenge)
