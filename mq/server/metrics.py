"""Metrics and health over HTTP: `/metrics` for Prometheus, `/healthz` and `/readyz` for whoever restarts us.

The names are RocketMQ's own where it has one, so that its dashboards work. RocketMQ: BrokerMetricsConstant.
"""

import asyncio
import logging
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from mq.broker import commands as c
from mq.broker.batch import AppendMessages
from mq.broker.outcomes import Acked, Outcome, Received, Sent
from mq.core.address import is_ip, parse_address, show_address
from mq.core.errors import MqError

if TYPE_CHECKING:
    from mq.server.broker import Broker

__all__ = ["BrokerMetrics", "MetricsServer"]

_COLLECT_S_MAX = 5.0
_log = logging.getLogger(__name__)


class BrokerMetrics:
    """Counts what is applied, and reads the rest from the state when it is asked. Belongs to the event loop."""

    def __init__(self, broker: "Broker") -> None:
        self._broker, self._loop = broker, asyncio.get_running_loop()
        self._messages_in: Counter[tuple[str, str]] = Counter()
        self._bytes_in: Counter[tuple[str, str]] = Counter()
        self._duplicates: Counter[tuple[str]] = Counter()
        self._messages_out: Counter[tuple[str, str]] = Counter()
        self._acked: Counter[tuple[str, str]] = Counter()
        self._dead: Counter[tuple[str, str]] = Counter()
        broker.node.on_applied.append(self._on_applied)

    def _on_applied(self, command: c.Command, outcome: Outcome) -> None:
        if isinstance(outcome, Sent) and isinstance(command, AppendMessages):
            kind = {1: "normal", 2: "fifo", 3: "delay", 4: "transaction"}.get(command.message_kind, "unknown")
            self._messages_in[command.topic, kind] += len(outcome.places) - outcome.duplicates
            self._bytes_in[command.topic, kind] += sum(map(len, command.messages))
            self._duplicates[(command.topic,)] += outcome.duplicates
        elif isinstance(outcome, Received) and isinstance(command, c.ReceiveMessages):
            self._messages_out[command.topic, command.group] += len(outcome.delivered)
            self._dead[command.topic, command.group] += len(outcome.dead)
        elif isinstance(outcome, Acked) and isinstance(command, c.AckMessages):
            self._acked[command.topic, command.group] += sum(outcome.done)

    def collect(self) -> list[Metric]:
        """All metrics now; for other threads than the event loop's. Prometheus' collector protocol. Raises: TimeoutError."""

        async def collect_all() -> list[Metric]:
            return list(self._collect())

        # The state changes under the hands of any other thread.
        return asyncio.run_coroutine_threadsafe(collect_all(), self._loop).result(_COLLECT_S_MAX)

    def _collect(self) -> Iterator[Metric]:
        topic_kind, topic_group = ("topic", "message_type"), ("topic", "consumer_group")
        yield _counter("rocketmq_messages_in", "Messages stored.", topic_kind, self._messages_in)
        yield _counter("rocketmq_throughput_in", "Bytes of messages stored.", topic_kind, self._bytes_in)
        yield _counter(
            "rocketmq_messages_duplicate", "Messages not stored since their id was known.", ("topic",), self._duplicates
        )
        yield _counter("rocketmq_messages_out", "Messages handed out.", topic_group, self._messages_out)
        yield _counter("rocketmq_messages_acked", "Messages acknowledged.", topic_group, self._acked)
        yield _counter("rocketmq_send_to_dlq_messages", "Messages that became dead letters.", topic_group, self._dead)
        yield from self._consumers()
        yield from self._storage()

    def _consumers(self) -> Iterator[Metric]:
        lag = GaugeMetricFamily(
            "rocketmq_consumer_lag_messages", "Messages that a group is not done with.", labels=("topic", "consumer_group")
        )
        flying = GaugeMetricFamily(
            "rocketmq_consumer_inflight_messages", "Received and not acknowledged.", labels=("topic", "consumer_group")
        )
        ready = GaugeMetricFamily(
            "rocketmq_consumer_ready_messages", "Messages that a group could receive now.", labels=("topic", "consumer_group")
        )
        admin = self._broker.admin
        for group in admin.groups():
            totals: dict[str, list[int]] = {}
            for row in admin.progress(group.name):
                sums = totals.setdefault(row.topic, [0, 0])
                sums[0] += row.lag
                sums[1] += row.in_flight
            for topic, (behind, in_flight) in totals.items():
                lag.add_metric((topic, group.name), behind)
                flying.add_metric((topic, group.name), in_flight)
                ready.add_metric((topic, group.name), behind - in_flight)
        yield lag
        yield flying
        yield ready

    def _storage(self) -> Iterator[Metric]:
        node, state = self._broker.node, self._broker.admin.state()
        for name, text, value in (
            ("rocketmq_storage_size", "Bytes of the commit log's segments.", sum(s.size_bytes for s in node.log.segments())),
            ("rocketmq_storage_log_last_index", "Index of the log's last entry.", state.last_index),
            ("rocketmq_storage_log_applied_index", "Index of the last entry applied.", state.applied_index),
            ("rocketmq_storage_cold_reads", "Reads that had to wait for the disk.", node.reader.cold_reads),
            ("rocketmq_storage_groups_written", "Groups of commands written with one sync each.", node.groups_written),
            (
                "rocketmq_consumer_skipped_by_retention_messages",
                "Messages that no consumer of a group had been given when retention took them.",
                node.machine.skipped_by_retention,
            ),
            (
                "rocketmq_storage_damaged_segments",
                "Segments in which stored bytes have changed.",
                len(self._broker.scrubber.damage),
            ),
            (
                "rocketmq_storage_state_compared_index",
                "Index of the newest entry behind which another node was found to have the same state.",
                self._broker.member.comparer.compared if self._broker.member is not None else 0,
            ),
            ("rocketmq_topic_number", "Topics.", len(node.machine.topics)),
            ("rocketmq_consumer_group_number", "Consumer groups.", len(node.machine.groups)),
            ("rocketmq_client_connections", "Clients heard of lately.", len(self._broker.clients)),
            ("rocketmq_polls_waiting", "Long polls that wait for messages.", self._broker.deliverer.room.count),
            ("rocketmq_broker_permission", "1 while the broker takes commands.", int(node.failure is None)),
        ):
            yield GaugeMetricFamily(name, text, value=value)


def _counter(name: str, text: str, labels: tuple[str, ...], values: Counter[Any]) -> Metric:
    family = CounterMetricFamily(name, text, labels=labels)
    for key, value in list(values.items()):
        family.add_metric(key, value)
    return family


class MetricsServer:
    """A small HTTP server in a thread of its own. listen: HOST:PORT."""

    def __init__(self, listen: str, broker: "Broker") -> None:
        self._broker = broker
        registry = CollectorRegistry()
        registry.register(BrokerMetrics(broker))
        self._metrics = make_wsgi_app(registry)
        self.host, self._wanted_port = parse_address(listen, "metrics_listen", is_zero_port_allowed=True)
        self._server: WSGIServer | None = None

    @property
    def port(self) -> int:
        """The port listened on."""
        return self._server.server_port if self._server else 0

    def start(self) -> None:
        """Begin to answer. Raises: MqError when the port is taken."""
        try:
            self._server = make_server(
                self.host,
                self._wanted_port,
                self._answer,
                server_class=_Server6 if is_ip(self.host, 6) else _Server,
                handler_class=_QuietHandler,
            )
        except OSError as error:
            raise MetricsPortError(
                f"metrics_listen: cannot listen on {show_address((self.host, self._wanted_port))}: {error.strerror}; "
                'another address is given with --metrics HOST:PORT, none with --metrics ""'
            ) from error
        threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True).start()

    def stop(self) -> None:
        """Give the port free."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def _answer(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        match environ.get("PATH_INFO"):
            case "/metrics":
                try:
                    page: Iterable[bytes] = self._metrics(environ, start_response)
                except TimeoutError:
                    return _text(start_response, "503 Service Unavailable", f"no answer within {_COLLECT_S_MAX:g} s")
                return page
            case "/healthz":
                return _text(start_response, "200 OK", "alive")
            case "/readyz":
                why_not = self._broker.why_not_ready
                return (
                    _text(start_response, "503 Service Unavailable", why_not)
                    if why_not
                    else _text(start_response, "200 OK", "ready")
                )
        return _text(start_response, "404 Not Found", "there are /metrics, /healthz and /readyz")


class MetricsPortError(MqError):
    """The address for metrics cannot be listened on."""


class _Server(ThreadingMixIn, WSGIServer):
    """A thread for each connection: one that says nothing must not keep others from hearing whether we live."""

    daemon_threads = True
    block_on_close = False


class _Server6(_Server):
    address_family = socket.AF_INET6


class _QuietHandler(WSGIRequestHandler):
    timeout = 10  # seconds that a connection may say nothing

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class calls it so
        _log.debug(format, *args)


def _text(start_response: Callable[..., Any], status: str, text: str) -> list[bytes]:
    start_response(status, [("Content-Type", "text/plain; charset=utf-8")])
    return [f"{text}\n".encode()]
