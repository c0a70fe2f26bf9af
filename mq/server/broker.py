"""A serving broker: a node, its producers' and consumers' side, and the gRPC server in front."""

import asyncio
import logging
import os
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from mq.broker.replication.slave import ContradictionError
from mq.core.errors import DamageError, MqError
from mq.parts import REFERENCE
from mq.raft.errors import NotLeaderError
from mq.registry.registration import NodeKey, times_of
from mq.rpc.serving import GrpcServer
from mq.server.admin import Administrator
from mq.server.clients import Clients
from mq.server.config import BrokerConfig
from mq.server.core import GroupSettings
from mq.server.cut_connections import CUT, CutConnections
from mq.server.delivering import Deliverer
from mq.server.disk import FileDisk
from mq.server.faults import FaultFile, FaultyDisk, fault_file_of
from mq.server.host import StoreHost, as_bug
from mq.server.hung_disk import HungDiskWatch
from mq.server.listener import Listener
from mq.server.loading import load_watched
from mq.server.master_watch import MasterWatch
from mq.server.member import Member
from mq.server.neighbours import Neighbours
from mq.server.node import BrokerNode
from mq.server.organs import Organs, organs_of
from mq.server.registering import Registrar
from mq.server.retention import Retention
from mq.server.room import RoomKeeper
from mq.server.scrubbing import Scrubber
from mq.server.sending import Sender
from mq.server.services import Services
from mq.server.setting_aside import EntriesGoneError, calls_for_repair, note_damage
from mq.server.space import SpaceGuard, free_bytes_at
from mq.server.timekeeping import TimeKeeper
from mq.server.tracing import traced_host
from mq.server.voters_note import settings_of

__all__ = ["Broker"]

_GRACE_S = 2.0
_SEGMENTS_IN_RESERVE = 3
_AGAIN_S, _AGAIN_S_MAX = 1.0, 60.0
"""Between two tries of work in the background; longer and longer while it fails in the same way."""
_log = logging.getLogger(__name__)


class Broker:
    """Everything of one broker process, but the process itself; must be made inside a running event loop."""

    def __init__(self, config: BrokerConfig) -> None:
        self.config = config
        self.failed: asyncio.Future[MqError] = asyncio.get_running_loop().create_future()
        self.clients = Clients(lambda: time.monotonic_ns() // 1_000_000)
        settings = settings_of(config)
        self.member = Member(config, settings) if settings is not None else None
        faults = fault_file_of(config.name, config.node, os.environ)
        self.node = self._opened(settings, faults)
        if faults is not None:
            self.node.clock.machine_ms = faults.wall_ms
        self.node.on_failed = self._on_failed
        self.node.reader.on_damage = self.node.host.on_damage = self._on_damage
        # Enough that what is taken now fits, and after it the commands of consumers for a good while.
        self.space = SpaceGuard(
            Path(config.data), reserve_bytes=_SEGMENTS_IN_RESERVE * config.segment_bytes,
            free_bytes=free_bytes_at if faults is None else faults.free_bytes,
        )  # fmt: skip
        self.sender = Sender(self.node, self.space, auto_create_topics=config.auto_create_topics)
        self.deliverer = Deliverer(self.node, self.clients)
        self.admin = Administrator(self.node, self.clients, self.deliverer, name=config.name, node_id=config.node)
        self.scrubber = Scrubber(self.node)
        self.retention = Retention(self.node, bytes_max=config.retention_bytes, age_ms_max=config.retention_ms)
        self._tasks: list[asyncio.Task[None]] = []
        self._listener: Listener | None = None
        self._registrar: Registrar | None = None
        self.neighbours: Neighbours | None = None
        self._services: Services | None = None

    def _opened(self, settings: GroupSettings | None, faults: FaultFile | None) -> BrokerNode:
        """The node, of the organs that are wanted, with its data."""
        config, folder = self.config, Path(self.config.data)
        organs = Organs(load_watched(config.parts) if config.parts else REFERENCE, has_own_process=True)
        disk = FileDisk(folder) if faults is None else FaultyDisk(folder, faults)
        if changed := organs.changed(folder):
            _log.warning("%s", changed)
        try:
            node = BrokerNode(
                disk, segment_bytes=config.segment_bytes, snapshot_every_bytes=config.snapshot_every_bytes,
                group=settings, organs=organs,
                send=self.member.send if self.member is not None else lambda _message: None,
                make_host=StoreHost if config.trace_file is None else traced_host(config.trace_file, config.node),
            )  # fmt: skip
        except Exception as error:
            organs.stop()
            disk.close()  # who can mend it needs the folder
            if (blamed := organs.blamed(error)) is not error:
                raise blamed from error
            raise
        if replaced := organs_of(organs.parts):
            _log.info("replaced organs: %s", replaced)
        if (told := organs.stamp(folder)) != changed:
            _log.warning("%s", told)
        return node

    @property
    def why_not_ready(self) -> str:
        """Why clients are not served here; empty when they are."""
        if self.node.failure is not None:
            return str(self.node.failure)
        if self._listener is None or not self._listener.is_open:
            return "clients are turned away: no leader of the group is known here, or none is in reach"
        return ""

    def _on_failed(self, error: MqError) -> None:
        error = self.node.organs.judged(error)
        if isinstance(error, ContradictionError):
            error = EntriesGoneError(str(error))
        if calls_for_repair(error, self.config):
            try:
                note_damage(self.config.data, error)
            except MqError as trouble:
                _log.error("%s", trouble)
        if not self.failed.done():
            self.failed.set_result(error)

    def _on_damage(self, damage: DamageError) -> None:
        """Whoever read it found it. A member of a group says and hears nothing any more, from this moment on."""

        def leave() -> None:
            raise self.node.organs.judged(damage)

        if calls_for_repair(damage, self.config):
            self.node.host.run(leave)

    async def start(self) -> int:
        """Listen; returns the port. Raises: MqError."""
        port = GrpcServer.port_of(*self.config.listen_address)
        outside = self.config.listen_outside_address
        if outside is not None:
            outside = outside[0], GrpcServer.port_of(*outside)
        if self.config.registry:
            key, times = NodeKey(self.config.name, self.config.node), times_of(self.config.registry_times)
            self.neighbours = Neighbours(key, self.config.registry_addresses, times)
        services = self._services = Services(self, port, outside[1] if outside is not None else None)
        self._listener = Listener((self.config.listen_address[0], port), services, outside)
        await self._listener.open()
        if self.member is not None:
            self.member.join(self.node, services.passed.serve, lambda: self.space.is_roomy)
            self.admin.part = self.member.part_so_far
            self.node.on_reign.append(self.deliverer.reign_is)
            self.member.on_lost.append(self.deliverer.renewer.node_lost)
            cuts = CutConnections(self.node, self.member.network, self.deliverer.renewer)
            self.clients.on_cut.append(cuts.note)
            self.member.answers[CUT] = cuts.answer
            await self.member.start()
            if self.node.group is not None and self.node.group.has_master:
                self._tasks.append(asyncio.create_task(self._guarded(MasterWatch(self.node).work_forever)))
            else:
                self._look_after_leading(self.member, self._listener)
        if self.neighbours is not None:
            self._register(services, self.neighbours)
        for work in (
            self.deliverer.renewer.renew_forever,
            self.sender.release_timers_forever,
            self.retention.work_forever,
            TimeKeeper(self.node).work_forever,
        ):
            self._tasks.append(asyncio.create_task(self._guarded(work, is_leaders=True)))
        for work in (self.admin.lookup.index_forever, self.scrubber.work_forever):
            self._tasks.append(asyncio.create_task(self._guarded(work)))
        return port

    def _look_after_leading(self, member: Member, listener: Listener) -> None:
        """What a node does so that another one leads when it cannot, and its clients go there."""
        room = RoomKeeper(self.node, self.space, member.opinion.with_room, member.hand_over)
        self.sender.make_way = room.make_way
        hung = HungDiskWatch(self.node, member.furthest, member.hand_over)
        self._tasks.append(asyncio.create_task(self._guarded(room.work_forever, is_leaders=True)))
        # It sees itself who leads: a node whose first reign never begins, for its disk hangs, is what it is there for.
        self._tasks.append(asyncio.create_task(self._guarded(hung.work_forever)))
        self._tasks.append(asyncio.create_task(listener.follow(self.node, member.is_reachable, member.opinion.is_led)))

    def _register(self, services: Services, neighbours: Neighbours) -> None:
        config = self.config
        self._registrar = Registrar(
            self.node, NodeKey(config.name, config.node), config.registry_addresses, times_of(config.registry_times),
            own=services.own, addresses=services.addresses, part=self.admin.part, outside=services.addresses_outside,
        )  # fmt: skip
        neighbours.join(self._registrar.registration)
        self._registrar.on_change.append(neighbours.own_has_changed)
        for work in (self._registrar.work_forever, neighbours.follow_forever):
            self._tasks.append(asyncio.create_task(self._guarded(work)))

    async def _guarded(self, work: Callable[[], Coroutine[Any, Any, None]], *, is_leaders: bool = False) -> None:
        """Work that goes on until it is cancelled or the node has failed: a disk that is full now has space later.

        is_leaders: it is the leader's alone, and rests while another node leads.
        """
        told, pause_s = "", _AGAIN_S
        while True:
            if is_leaders:
                await self.node.until(lambda: self.node.reign.is_here)
            try:
                await work()
            except NotLeaderError:
                continue
            except Exception as error:  # noqa: BLE001 - a mistake of ours must not end, say, retention without a word
                if self.node.failure is not None:
                    return
                failed = error if isinstance(error, MqError) else as_bug("background work failed", error)
                pause_s = min(2 * pause_s, _AGAIN_S_MAX) if str(failed) == told else _AGAIN_S
                if str(failed) != told:
                    told = str(failed)
                    level = logging.WARNING if failed is error else logging.ERROR
                    _log.log(level, "background work failed and is tried again: %s", told)
            await asyncio.sleep(pause_s)

    async def stop(self) -> None:
        """Hand over what others can go on with, finish what was taken, sync, and let go of the folder."""
        if self.member is not None and self.node.failure is None:
            try:
                await self.member.hand_over()
            except MqError as error:
                _log.warning("leadership was not handed over: %s", error)
        if self._registrar is not None:
            await self._registrar.goodbye()
        self.deliverer.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._listener is not None:
            await self._listener.close(_GRACE_S)
        if self._services is not None:
            await self._services.close()
        if self.member is not None:
            await self.member.close()
        await self.node.close()
        self.node.organs.stop()
