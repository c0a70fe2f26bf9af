"""What a Raft node refuses, and why. All are definite: nothing was done."""

from mq.core.errors import Code, Fault, MqError, RefusedError

__all__ = ["ChangeRefusedError", "NotLeaderError"]


class NotLeaderError(MqError):
    """This node does not lead, or is about to hand over. leader: who does, as far as it knows; None when it does not know."""

    code = Code.PROXY_TIMEOUT
    fault = Fault.US

    def __init__(self, leader: int | None) -> None:
        super().__init__(f"this node does not lead; {'no leader is known' if leader is None else f'node {leader} does'}")
        self.leader = leader


class ChangeRefusedError(RefusedError):
    """A change of members, or a hand-over, that cannot be begun now; the message says what is missing."""

    def __init__(self, message: str) -> None:
        super().__init__(Code.BAD_REQUEST, message)
