"""Every node serves every call: what only the leader can do is passed on to it, and waits while there is none.

A client need not know who leads. A call that finds no leader, or loses it before the first answer, is tried again until it has
waited for about two seconds; that is longer than an election takes, and shorter than clients wait for an answer. What may have
been done twice by that is told apart further down: by the message id of a send, by the receipt handle of an ack.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Any, Protocol, cast

from mq.core.errors import Code, Fault, MqError, NotServingError, RefusedError
from mq.raft.errors import NotLeaderError
from mq.rpc.call_codec import Headers
from mq.rpc.endings import ENDINGS
from mq.rpc.handling import Context, Handler, headers_of, log_failure, tell_old
from mq.rpc.methods import MESSAGING, Cardinality, Method

__all__ = [
    "FORWARDED_PEER",
    "GroupPort",
    "LeaderAwayError",
    "LeaderLostError",
    "MasterPort",
    "PassedContext",
    "Passer",
    "is_read",
    "kept",
]

HOLD_S = 2.0
FORWARDED_PEER = "x-raftmq-peer"
"""The header that tells the leader by which address the client reached the node that passed the call on."""

_HERE = {"Telemetry", "DescribeBroker", "DescribeRaft", "PromoteMaster", "SendBatches", "FetchBatches"}
"""Served where they arrive; what of them has to be decided is passed on by itself."""
_HERE_IF_KNOWN = {"QueryRoute", "QueryAssignment"}
"""Answered from the state that is here, also while there is no leader; a topic that is not known here may be at the leader's."""
_BOTH = {"Heartbeat"}
"""Noted where it arrives, and at the leader's, which looks after what the client holds."""


_TOLD_APART = {"SendMessage", "StoreBatch", "AckMessage", "EnsureGroup", "UpdateOffset", "Heartbeat", "NotifyClientTermination",
               "SetWritable"}  # fmt: skip
"""Calls that may be carried out twice: the second time changes nothing, and is answered like the first. Another one, such as
ChangeInvisibleDuration, would be refused then, though it was done: what became of it is told as unknown."""

_READS = ("Get", "Query", "List", "Describe", "Peek")
"""How the names of calls begin whose answers must not be older than what was answered before."""


def is_read(name: str) -> bool:
    """Whether a leader has to make sure that it still is one before it answers. Others ask for that by a command of theirs."""
    return name.startswith(_READS)


def _may_be_old(name: str) -> bool:
    """Whether a slave that has lost its master may answer: nothing is changed by it."""
    return is_read(name) or name == "PullMessage"


class LeaderLostError(MqError):
    """The leader was lost before it answered. It may have carried the call out."""

    code = Code.MASTER_PERSISTENCE_TIMEOUT  # clients take PROXY_TIMEOUT for a promise that nothing was done
    definite = False


class LeaderAwayError(LeaderLostError):
    """The leader could not be reached, and nothing was sent to it."""

    code = Code.PROXY_TIMEOUT
    definite = True


class GroupPort(Protocol):
    """The other nodes of the group, as calls need them."""

    @property
    def is_leader_here(self) -> bool:
        """Whether this node leads, and its state is complete."""

    @property
    def leader(self) -> int | None:
        """The node that leads, if it is known and another one."""

    async def confirm(self) -> None:
        """Come back when the state here is as new as any that was ever answered from. Raises: NotLeaderError."""

    async def leader_changes(self, timeout_s: float) -> None:
        """Come back when another leader is known, or none any more, or after a while."""

    async def state_changes(self, timeout_s: float) -> None:
        """Come back when something more was applied here, or after a while."""

    async def call(self, node: int, name: str, headers: Headers, raw: bytes, timeout_s: float | None) -> bytes:
        """A unary call, carried out there. Raises: LeaderLostError; NotLeaderError; MqError."""

    def stream(self, node: int, name: str, headers: Headers, raw: bytes, timeout_s: float | None) -> AsyncGenerator[bytes, None]:
        """The answers of a call that has several. Raises as `call`, while iterating."""


class MasterPort(Protocol):
    """Of a master and its slaves, what is to be said while there is no master."""

    @property
    def old_state(self) -> str:
        """What to say beside an answer from the state that is here and may be old; empty where that may not be given."""

    @property
    def why_nobody(self) -> str:
        """Why there is no master, and what helps."""


class PassedContext:
    """Of a call that another node passed on, what handlers need. RocketMQ's headers are passed on with it.

    through: the number of that node; 0 for a call that a client made here.
    """

    def __init__(self, headers: Headers, deadline_s: float | None, through: int = 0) -> None:
        self._headers, self._deadline_s, self.through = headers, deadline_s, through

    def invocation_metadata(self) -> Headers:
        """As the client sent it."""
        return self._headers

    def peer(self) -> str:
        """The client's address."""
        return dict(self._headers).get(FORWARDED_PEER, "")

    def time_remaining(self) -> float | None:
        """In s, until the client gives up."""
        return None if self._deadline_s is None else self._deadline_s - asyncio.get_running_loop().time()


def kept(context: Context) -> PassedContext:
    """What a context says now, for work that may outlive its call. gRPC's own, asked after its call's end, ends the process."""
    left_s = cast("float | None", context.time_remaining())
    return PassedContext(_headers(context), None if left_s is None else asyncio.get_running_loop().time() + left_s)


class _Hold:
    """How long one call may still be held."""

    def __init__(self, group: GroupPort, name: str, master: MasterPort | None = None) -> None:
        self._group, self._name, self._master = group, name, master
        self._end_s = time.monotonic() + HOLD_S
        self._unsure: MqError | None = None

    def as_known(self, error: MqError) -> MqError:
        """What is to be told: that this attempt did nothing (no room, a stopping node) says nothing of an earlier one."""
        does_nothing = error.definite and error.fault is not Fault.CALLER
        return self._unsure if self._unsure is not None and does_nothing else error

    def checked(self, answer: bytes) -> bytes:
        """The answer, if it may be told. Raises: an earlier attempt's error, when the answer is that this one did nothing."""
        method = MESSAGING.get(self._name)
        if self._unsure is not None and method is not None:
            told: Any = method.response.FromString(answer)
            if told.status.code == Code.PROXY_TIMEOUT:
                raise self._unsure
        return answer

    async def lasts(self, why: MqError | None, asked: int | None) -> bool:
        """As `wait`; whether the call may still be held."""
        try:
            await self.wait(why, asked)
        except (NotServingError, NotLeaderError, LeaderLostError):
            return False
        return True

    async def wait(self, why: MqError | None, asked: int | None) -> None:
        """Until who leads has changed since a node was asked; None: this one was, or nobody.

        Raises, when the call was held long enough: the first `why` that leaves open what was done; else this one, or
        NotServingError.
        """
        if why is not None and not why.definite:
            self._unsure = self._unsure or why
        left_s = self._end_s - time.monotonic()
        if left_s <= 0:
            none = f"the group has had no leader for {HOLD_S:g} s; try again" if self._master is None else self._master.why_nobody
            raise self._unsure or why or NotServingError(f"{self._name}: {none}")
        if asked is None or self._group.leader == asked:
            await self._group.leader_changes(min(left_s, 0.05 if why else left_s))


class Passer:
    """Puts itself before handlers. master: where a person says who leads, and slaves answer while there is nobody."""

    def __init__(self, group: GroupPort, master: MasterPort | None = None) -> None:
        self._group, self._master = group, master

    def wrap(self, methods: Mapping[str, Method], handlers: Mapping[str, Handler]) -> dict[str, Handler]:
        """Handlers that serve on every node."""
        return {name: self._wrapped(name, methods[name], handler) for name, handler in handlers.items()}

    def _wrapped(self, name: str, method: Method, handler: Handler) -> Handler:
        if name in _HERE:
            return handler
        if method.cardinality is Cardinality.SERVER_STREAM:
            return self._streaming(name, handler)
        if name in _HERE_IF_KNOWN:
            return self._here_if_known(name, method, handler)
        if name in _BOTH:
            return self._both(name, handler)
        return self.unary(name, handler)

    def unary(self, name: str, handler: Handler) -> Handler:
        """A unary call that the leader carries out."""

        async def call(raw: bytes, context: Context) -> bytes:
            return await self._ask(name, handler, raw, context)

        return call

    async def _ask(self, name: str, handler: Handler, raw: bytes, context: Context) -> bytes:
        hold = _Hold(self._group, name, self._master)
        while True:
            failed: MqError | None = None
            answer: bytes | None = None
            asked = None if self._group.is_leader_here else self._group.leader
            try:
                if self._group.is_leader_here:
                    if is_read(name):
                        await self._group.confirm()
                    answer = await handler(raw, context)
                elif asked is not None:
                    answer = await self._group.call(asked, name, _headers(context), raw, context.time_remaining())
                elif self._answers_old(name, context):
                    answer = await handler(raw, context)
            except (NotLeaderError, LeaderLostError) as error:
                failed = error
                if not error.definite and name not in _TOLD_APART and not is_read(name):
                    raise
            except MqError as error:
                raise hold.as_known(error) from None
            if answer is not None:
                return hold.checked(answer)
            await hold.wait(failed, asked)

    def _here_if_known(self, name: str, method: Method, handler: Handler) -> Handler:
        """The leader only says whether it knows the topic: its answer names addresses for those that came in at its own door."""

        async def call(raw: bytes, context: Context) -> bytes:
            try:
                return await _answered(handler, raw, context)
            except RefusedError as refusal:
                if refusal.code != Code.TOPIC_NOT_FOUND or self._group.is_leader_here:
                    raise
                found: bytes = await self._ask(name, handler, raw, context)
                told: Any = method.response.FromString(found)
                if told.status.code != Code.OK:
                    return found
                return await self._here_soon(handler, raw, context, refusal)

        return call

    async def _here_soon(self, handler: Handler, raw: bytes, context: Context, refusal: RefusedError) -> bytes:
        """The leader knows the topic, so it is about to be known here."""
        end_s = time.monotonic() + HOLD_S
        while True:
            try:
                return await _answered(handler, raw, context)
            except RefusedError as again:
                if again.code != Code.TOPIC_NOT_FOUND:
                    raise
            if (left_s := end_s - time.monotonic()) <= 0:
                break
            # Nothing happens between the refusal above and here, so nothing that is applied is missed.
            await self._group.state_changes(left_s)
        raise NotServingError(f"{refusal}; the leader knows it, and this node did not hear of it for {HOLD_S:g} s; try again")

    def _both(self, name: str, handler: Handler) -> Handler:
        async def call(raw: bytes, context: Context) -> bytes:
            answer: bytes = await handler(raw, context)
            leader = self._group.leader
            if leader is not None and not self._group.is_leader_here:
                try:
                    return await self._group.call(leader, name, _headers(context), raw, 1.0)
                except MqError:
                    return answer  # the next one comes soon
            return answer

        return call

    def _streaming(self, name: str, handler: Handler) -> Handler:
        async def call(raw: bytes, context: Context) -> AsyncIterator[bytes]:
            hold = _Hold(self._group, name, self._master)
            while True:
                failed: MqError | None = None
                has_begun, may_go_on = False, True
                asked = None if self._group.is_leader_here else self._group.leader
                try:
                    async for part in self._source(name, handler, raw, context):
                        has_begun = True
                        yield part
                except (NotLeaderError, LeaderLostError) as error:
                    failed = error
                except MqError as error:
                    failed, may_go_on = error, False
                    log_failure(name, error)
                if has_begun and failed is None:
                    return
                if may_go_on and not has_begun and await hold.lasts(failed, asked):
                    continue
                why = "" if self._master is None else self._master.why_nobody
                for part in ENDINGS[name](has_begun=has_begun, why=why):
                    yield part
                return

        return call

    def _answers_old(self, name: str, context: Context) -> bool:
        """Whether this node may answer though nobody leads; the answer says then that it may be old."""
        told = self._master.old_state if self._master is not None and _may_be_old(name) else ""
        if told:
            tell_old(context, told)
        return bool(told)

    async def _source(self, name: str, handler: Handler, raw: bytes, context: Context) -> AsyncGenerator[bytes, None]:
        """Answers of whoever leads; none when nobody does."""
        if self._group.is_leader_here:
            source = handler(raw, context)
        elif (leader := self._group.leader) is not None:
            source = self._group.stream(leader, name, _headers(context), raw, context.time_remaining())
        elif self._answers_old(name, context):
            source = handler(raw, context)
        else:
            return
        try:
            async for part in source:
                yield part
        finally:
            await source.aclose()


async def _answered(handler: Handler, raw: bytes, context: Context) -> bytes:
    answer: bytes = await handler(raw, context)
    return answer


def _headers(context: Context) -> Headers:
    headers: dict[str, Any] = headers_of(context)
    return (*headers.items(), (FORWARDED_PEER, context.peer()))
