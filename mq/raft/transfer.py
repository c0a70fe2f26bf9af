"""Handing leadership over, before a planned restart. Thesis: section 3.10."""

from collections.abc import Sequence

from mq.raft.configuration import Configuration
from mq.raft.errors import ChangeRefusedError, NotLeaderError
from mq.raft.membership import Membership
from mq.raft.messages import TimeoutNow
from mq.raft.output import Output
from mq.raft.progress import Progress
from mq.raft.role import Event, Role
from mq.raft.state import Start

__all__ = ["Transfer"]


class Transfer(Membership):
    """A leader's part in handing over.

    transfer_to: who is to lead next, while that is under way. transfer_elapsed_ticks: since it was asked for.
    """

    __slots__ = ("transfer_elapsed_ticks", "transfer_to")

    def __init__(self, start: Start) -> None:
        super().__init__(start)
        self.transfer_to: int | None = None
        self.transfer_elapsed_ticks = 0

    def transfer(self, to: int) -> Output:
        """Bring `to` up to date, then ask it to campaign; nothing is proposed meanwhile. Given up after `election_ticks`.

        Raises: NotLeaderError; ChangeRefusedError when `to` is no other voter, or members are being changed: the entry that ends
        the change would come behind what `to` has, so that it could not win.
        """
        self._check_leads()
        if to == self.node_id or to not in self.configuration.voters or to not in self.peers:
            raise ChangeRefusedError(f"node {to} cannot take over: it is not another voter of this group")
        if self._is_changing():
            raise ChangeRefusedError("leadership cannot be handed over before the change of members is done")
        self.transfer_to, self.transfer_elapsed_ticks = to, 0
        self._hand_over_to(self.peers[to])
        return self._finish()

    def _hand_over_to(self, peer: Progress) -> None:
        """Only to one whose log is complete: it must be able to win."""
        if peer.match_index == self.log.last.index:
            self._tell(TimeoutNow(self.node_id, peer.node_id, self.term))
        else:
            self._feed(peer)

    def _on_matched(self, peer: Progress) -> None:
        super()._on_matched(peer)
        if peer.node_id == self.transfer_to and self.role is Role.LEADER:
            self._hand_over_to(peer)

    def propose(self, payloads: Sequence[bytes]) -> Output:
        """Refused while leadership is handed over: the next leader takes it."""
        if self.transfer_to is not None:
            raise NotLeaderError(self.transfer_to)
        return super().propose(payloads)

    def _check_change(self, wanted: Configuration) -> None:
        """Members are proposed like everything else, so not now either."""
        if self.transfer_to is not None:
            raise ChangeRefusedError(f"leadership is being handed over to node {self.transfer_to}")
        super()._check_change(wanted)

    def on_timeout_now(self, message: TimeoutNow) -> None:  # noqa: ARG002
        """The leader leaves: campaign without asking first, and without the protection that it would have."""
        if self.role is not Role.LEADER and self.configuration.is_voter(self.node_id):
            self._become_candidate(Event.IS_ASKED_TO_LEAD)

    def _tick_leader(self) -> None:
        super()._tick_leader()
        if self.transfer_to is not None:
            self.transfer_elapsed_ticks += 1
            if self.transfer_elapsed_ticks >= self.options.election_ticks:
                self.transfer_to = None

    def _on_reign_ended(self) -> None:
        super()._on_reign_ended()
        self.transfer_to = None
