"""What clients hold with `auto_renew` stays theirs while they live. RocketMQ: ReceiveMessageRequest.auto_renew.

But only what can have arrived. Whatever stood between this node and the client when it was handed out, another node that passed
it on or a connection, may have died with it in hand; a client that lives and never saw it would be waited for until the end of
all renewals. So what went that way is renewed no more: it runs out and comes again. A client that has it, and is at work on it
for longer, sees it twice, as after a change of leaders.
"""

import asyncio
from contextlib import suppress

from mq.broker import commands as c
from mq.broker.outcomes import Done
from mq.core.errors import MqError, NotServingError, RefusedError
from mq.core.limits import RENEW_INVISIBLE_MS, RENEW_MS_MAX
from mq.server.clients import Clients
from mq.server.node import BrokerNode

__all__ = ["Renewer"]

_RENEW_EVERY_MS = 5_000
_RENEW_WHEN_LEFT_MS = 18_000


class Renewer:
    """The leader's memory of who holds something that renews itself."""

    def __init__(self, node: BrokerNode, clients: Clients) -> None:
        self._node, self._machine, self._clients = node, node.machine, clients
        self._renewing: dict[tuple[str, str], int] = {}
        clients.on_cut.append(self.connection_lost)
        # What was handed out before this start may never have arrived.
        self._since = node.log.last_index + 1
        self._since_of: dict[tuple[str, str], int] = {}  # the same, of one client and group, when its way broke later
        self._through: dict[int, dict[tuple[str, str], int]] = {}  # who got something by way of another node, and up to where
        self._grant: asyncio.Task[None] | None = None

    def note(self, client: str, group: str, deadline_ms: int, through: int = 0) -> None:
        """The client was handed something. through: the node that passes it on; 0 when the client is connected with this one."""
        self._renewing.setdefault((client, group), deadline_ms)
        if through:
            self._through.setdefault(through, {})[client, group] = self._node.log.last_index + 1

    def forget(self, client: str, group: str) -> None:
        """It was given back, and the client will not be heard of again."""
        for known in (self._renewing, self._since_of, *self._through.values()):
            known.pop((client, group), None)

    def node_lost(self, node: int) -> None:
        """A connection with a node broke: what it was passing on may be gone."""
        for holder, since in self._through.pop(node, {}).items():
            self._since_of[holder] = max(since, self._since_of.get(holder, 0))

    def connection_lost(self, client: str) -> None:
        """A client's own connection broke: what was on its way may be gone. Who leads next takes that for lost anyway."""
        if not self._node.reign.is_here:
            return
        for group in self._clients.groups_of(client):
            self._since_of[client, group] = self._node.log.last_index + 1

    # --- another leader

    def begin_reign(self) -> None:
        """What another leader handed out is hidden for one interval more: its client may still be at work on it."""
        self._since = self._node.log.last_index + 1
        self._renewing, self._since_of, self._through = {}, {}, {}
        held = {
            (flight.client, group.name)
            for group in self._machine.groups.values()
            for table in group.tables.values()
            for queue_id in table.queues()
            for flight in table.flights(queue_id).values()
            if flight.renews
        }
        if held:
            self._grant = asyncio.ensure_future(self._grant_one_interval(sorted(held)))

    async def _grant_one_interval(self, holders: list[tuple[str, str]]) -> None:
        for client, group in holders:
            log_ms, wall_ms = self._node.stamps()
            until_ms, not_before_ms = log_ms + RENEW_INVISIBLE_MS, log_ms - RENEW_MS_MAX
            with suppress(MqError):  # it runs out, and comes again
                await self._node.carry_out(c.RenewClient(log_ms, wall_ms, client, group, until_ms, 0, not_before_ms))

    # --- renewal

    async def renew_forever(self) -> None:
        """Move the deadlines of living clients' messages before they run out."""
        while True:
            await asyncio.sleep(_RENEW_EVERY_MS / 1000)
            await self.renew_due()
            self._clients.forget_silent()
            for known in (self._since_of, *self._through.values()):
                for holder in [holder for holder in known if not self._clients.is_known(holder[0])]:
                    del known[holder]

    async def renew_due(self) -> None:
        """Move the deadlines of living clients' messages that have little time left."""
        log_ms, wall_ms = self._node.stamps()
        for (client, group), deadline_ms in list(self._renewing.items()):
            if deadline_ms - log_ms > _RENEW_WHEN_LEFT_MS:
                continue
            if not self._clients.is_alive(client) or group not in self._machine.groups:
                if deadline_ms <= log_ms:
                    self._renewing.pop((client, group), None)
                continue
            # Taken out first: what the client receives in the meantime puts it in again.
            self._renewing.pop((client, group), None)
            new_ms, since = log_ms + RENEW_INVISIBLE_MS, self._since_of.get((client, group), self._since)
            try:
                outcome = await self._node.carry_out(
                    c.RenewClient(log_ms, wall_ms, client, group, new_ms, since, log_ms - RENEW_MS_MAX)
                )
            except NotServingError:
                return
            except RefusedError:  # the group was deleted a moment ago
                continue
            except MqError:  # a full disk has room again later
                self._renewing.setdefault((client, group), deadline_ms)
                raise
            if isinstance(outcome, Done) and outcome.count:
                self._renewing[client, group] = min(new_ms, self._renewing.get((client, group), new_ms))
