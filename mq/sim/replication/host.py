"""One node's host: that of a Raft group's world, with what is different here. It resumes, is promoted, and sets all aside."""

from mq.broker.replication.master_slave import MasterSlave
from mq.broker.replication.slave import ContradictionError
from mq.raft.messages import Message
from mq.raft.role import Role
from mq.sim.group.host import Host
from mq.sim.group.lane import Weather
from mq.sim.group.machine import Place
from mq.sim.group.storage import LightStorage
from mq.sim.replication.network import OrderedNetwork

__all__ = ["Replica"]

_ASKS_MS = 200
"""So long a master that starts again asks the others whether there is a later one (`mq.server.slaves_way`)."""


class Replica(Host):
    """group: all nodes, by number. set_aside: what was said each time that it was given all anew. lost_ms: when its disk was."""

    def __init__(self, node_id: int, place: Place, group: "dict[int, Replica]") -> None:
        super().__init__(node_id, place, LightStorage(), Weather())
        self._group = group
        self.set_aside: list[str] = []
        self.lost_ms = -1

    @property
    def decides(self) -> MasterSlave:
        """The core of this life."""
        assert isinstance(self.node, MasterSlave)
        return self.node

    @property
    def is_master(self) -> bool:
        """Whether it takes commands."""
        return self.is_up and self.decides.role is Role.LEADER

    def start(self) -> None:
        """See `Host`. Whose epoch the disk says it is goes on as the master, unless it hears of a later one."""
        super().start()
        self._renew_links()
        if self.decides.vote == self.node_id:
            self.agenda.at(self.agenda.now_ms + _ASKS_MS, self._resume, self.life)

    def _renew_links(self) -> None:
        network = self.place.network
        assert isinstance(network, OrderedNetwork)
        network.lives[self.node_id] = network.lives.get(self.node_id, 0) + 1

    def _resume(self, life: int, _: object) -> None:
        if life == self.life and self.is_up and not any(self._knows_of_later(other) for other in self._group.values()):
            self.carry_out(self.decides.resume())

    def _knows_of_later(self, other: "Replica") -> bool:
        cut = self.place.network.cut
        is_reached = other.is_up and not {(self.node_id, other.node_id), (other.node_id, self.node_id)} & cut.keys()
        return is_reached and other.decides.term > self.decides.term

    def die(self, *, is_power_lost: bool) -> None:
        """See `Host`."""
        super().die(is_power_lost=is_power_lost)
        self._renew_links()

    def lose_disk(self) -> None:
        """The machine is gone, with all that it stored."""
        if self.node is not None:
            self.die(is_power_lost=True)
        self.storage, self.lost_ms = LightStorage(), self.agenda.now_ms

    def promote(self, *, is_alone: bool = False) -> bool:
        """A person says so; whether that was taken. A node with nothing in its log is refused (`mq.server.promoting`)."""
        if not self.is_up or self.decides.role is not Role.FOLLOWER or self.log.last_index == 0:
            return False
        self.carry_out(self.decides.promote(is_alone=is_alone))
        return True

    def deliver(self, number: int, message: Message) -> None:
        """See `Host`. What contradicts the master is put aside; the node begins anew with nothing."""
        network = self.place.network
        assert isinstance(network, OrderedNetwork)
        if self.node is not None and not self.is_paused and not network.still_stands(number, message):
            network.lose(number, "broken")
            return
        try:
            super().deliver(number, message)
        except ContradictionError as gone:
            self.set_aside.append(str(gone))
            self.lose_disk()
            self.start()
