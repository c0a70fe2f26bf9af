"""What a consumer keeps up with each broker group of its routes: it says what it is, that it lives, and goodbye.

Every call works without; but brokers show who is there, renew what a push consumer holds as long as it lives, and decide how it
is to consume. RocketMQ: Telemetry, Heartbeat, NotifyClientTermination.
"""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import grpc
import grpc.aio

from mq.client.consuming import ConsumerSettings, RetryPolicy, exponential
from mq.client.errors import NoAnswerError
from mq.core.errors import Code, MqError, RefusedError
from mq.proto import rocketmq_v2_pb2 as pb
from mq.rpc.calling import client_headers
from mq.rpc.methods import both_streams
from mq.rpc.routing import Routing, now_ms

__all__ = ["Session"]

_LOOK_S = 0.25
_HEARTBEAT_MS = 10_000
_AGAIN_S = 1.0
_GOODBYE_S = 2.0
_SETTINGS_S = 10.0
_log = logging.getLogger(__name__)


class _Line:
    """To one broker group. settings: as it told them last, or why it refuses us."""

    def __init__(self, addresses: tuple[str, ...]) -> None:
        self.addresses = addresses
        self.settings: asyncio.Future[ConsumerSettings] = asyncio.get_running_loop().create_future()
        self.task: asyncio.Task[None] | None = None

    def told(self, settings: ConsumerSettings | RefusedError) -> None:
        """The newest answer counts."""
        if self.settings.done():
            self.settings = asyncio.get_running_loop().create_future()
        if isinstance(settings, RefusedError):
            self.settings.set_exception(settings)
            self.settings.exception()  # an error that nobody asks for is not an event of its own
        else:
            self.settings.set_result(settings)


class Session:
    """Of one consumer. client_type: RocketMQ's number. subscriptions: tags by topic. Use `async with`, within the routing's."""

    def __init__(self, routing: Routing, *, group: str, client_type: int, subscriptions: Mapping[str, str]) -> None:
        self._routing, self._group, self._client_type, self._subscriptions = routing, group, client_type, subscriptions
        self._lines: dict[str, _Line] = {}
        self._keeping: asyncio.Task[None] | None = None
        self._heard: dict[str, int] = {}

    async def __aenter__(self) -> "Session":
        self._keeping = asyncio.create_task(self._keep())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._keeping is not None
        self._keeping.cancel()
        await asyncio.gather(self._keeping, return_exceptions=True)
        request = pb.NotifyClientTerminationRequest(group=pb.Resource(name=self._group))
        lines = list(self._lines.values())
        await asyncio.gather(*(self._say(line.addresses, "NotifyClientTermination", request) for line in lines))
        tasks = [line.task for line in lines if line.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def settings(self, broker: str) -> ConsumerSettings:
        """What a broker group decides for us. Raises: RefusedError, when it refuses us; NoAnswerError."""
        end_ms = now_ms() + int(_SETTINGS_S * 1000)
        while broker not in self._lines and now_ms() < end_ms:
            self._look()
            if broker not in self._lines:
                await asyncio.sleep(_LOOK_S)
        try:
            line = self._lines[broker]
            async with asyncio.timeout(max(0.0, (end_ms - now_ms()) / 1000)):  # `wait_for` of Python 3.11 can lose a cancellation
                return await asyncio.shield(line.settings)
        except (KeyError, TimeoutError):
            raise NoAnswerError(f"{broker} did not answer our settings within {_SETTINGS_S:g} s (is it stopped?)") from None

    async def ready(self) -> None:
        """Until one broker group has told its settings. Raises: MqError, when none does."""
        waiting = {asyncio.ensure_future(self.settings(broker)) for broker in self._routing.brokers()}
        error: BaseException | None = None
        try:
            while waiting:
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for one in done:
                    error = one.exception()
                    if error is None:
                        return
        finally:
            for one in waiting:
                one.cancel()
        if error is not None:
            raise error

    async def heartbeat(self) -> None:
        """A sign of life to all broker groups, now."""
        self._look()
        request = pb.HeartbeatRequest(client_type=self._client_type)  # type: ignore[arg-type]
        request.group.name = self._group
        lines = dict(self._lines)
        for broker in lines:
            self._heard[broker] = now_ms()
        await asyncio.gather(*(self._say(line.addresses, "Heartbeat", request) for line in lines.values()))

    async def _keep(self) -> None:
        while True:
            self._look()
            if any(now_ms() - self._heard.get(broker, -_HEARTBEAT_MS) >= _HEARTBEAT_MS for broker in self._lines):
                await self.heartbeat()
            await asyncio.sleep(_LOOK_S)

    def _look(self) -> None:
        """A line to each broker group of the routes, as they are now."""
        now = self._routing.brokers()
        for broker in [broker for broker, line in self._lines.items() if now.get(broker) != line.addresses]:
            gone = self._lines.pop(broker).task
            if gone is not None:
                gone.cancel()
        for broker, addresses in now.items():
            if broker not in self._lines:
                line = self._lines[broker] = _Line(addresses)
                line.task = asyncio.create_task(self._talk(broker, line))
                self._heard.pop(broker, None)

    async def _say(self, addresses: tuple[str, ...], name: str, request: Any) -> None:
        with suppress(MqError):
            await self._routing.call(addresses, name, request, timeout_s=_GOODBYE_S)

    # --- settings

    async def _talk(self, broker: str, line: _Line) -> None:
        """A Telemetry stream, and another one when it breaks."""
        while True:
            headers = client_headers(self._routing.client_id)
            call: Any = both_streams(self._routing.channel(line.addresses), "Telemetry")(metadata=headers)
            try:
                await call.write(pb.TelemetryCommand(settings=self._wishes()))
                while (command := await call.read()) is not grpc.aio.EOF:
                    self._heard_of(command, line)
            except grpc.aio.AioRpcError as error:
                if error.code() is grpc.StatusCode.INVALID_ARGUMENT:
                    line.told(RefusedError(Code.BAD_REQUEST, f"{broker} refuses this consumer: {error.details()}"))
                _log.info("the settings stream with %s broke: %s", broker, error.details())
            except asyncio.InvalidStateError:  # it broke while it was written to
                _log.info("the settings stream with %s broke", broker)
            finally:
                call.cancel()
            await asyncio.sleep(_AGAIN_S)

    def _wishes(self) -> pb.Settings:
        wishes = pb.Settings(client_type=self._client_type)  # type: ignore[arg-type]
        wishes.request_timeout.seconds = 3
        wishes.subscription.group.name = self._group
        for topic, tags in self._subscriptions.items():
            entry = wishes.subscription.subscriptions.add()
            entry.topic.name = topic
            entry.expression.type, entry.expression.expression = pb.TAG, tags
        wishes.user_agent.language = pb.PYTHON
        return wishes

    @staticmethod
    def _heard_of(command: pb.TelemetryCommand, line: _Line) -> None:
        if command.WhichOneof("command") == "settings":
            line.told(_plain(command.settings))
        elif command.HasField("status") and int(command.status.code) != Code.OK:
            line.told(RefusedError(Code.BAD_REQUEST, command.status.message))


def _plain(settings: pb.Settings) -> ConsumerSettings:
    policy, wanted = settings.backoff_policy, settings.subscription
    delays = tuple(one.ToMilliseconds() for one in policy.customized_backoff.next)
    if policy.HasField("exponential_backoff"):
        by = policy.exponential_backoff
        delays = exponential(by.initial.ToMilliseconds(), by.max.ToMilliseconds(), by.multiplier)
    default = ConsumerSettings()
    return ConsumerSettings(
        wanted.fifo,
        wanted.receive_batch_size or default.batch_max,
        wanted.long_polling_timeout.ToMilliseconds() or default.long_poll_ms,
        RetryPolicy(policy.max_attempts or default.retry.attempts_max, delays or default.retry.delays_ms),
    )
