"""`mq bench`: a quick figure of a running broker; the careful ones, beside a limit measured in the same run, are in `bench/`."""

import time
from functools import partial
from typing import TYPE_CHECKING

import click

from mq.cli.options import Number, Session, WholeNumber, client_command
from mq.cli.output import note, print_json, print_table

if TYPE_CHECKING:
    from mq.client.message_ids import MessageIds

__all__ = ["bench_command"]

_TOPIC = "mq-bench"


@click.command("bench")
@client_command
@click.option(
    "--topic", default=_TOPIC, show_default=True, help="Made if it is not there; its messages stay until `mq topic delete`."
)
@click.option("--seconds", type=Number(0.1, 600), default=3.0, show_default=True, help="For each of the three figures.")
@click.option("--body-bytes", type=WholeNumber(1, 1 << 20), default=256, show_default=True, help="Size of a body.")
@click.option("--batch", type=WholeNumber(1, 1000), default=100, show_default=True, help="Messages in a batch.")
@click.option("--window", type=WholeNumber(1, 256), default=32, show_default=True, help="Batches under way at the same time.")
def bench_command(session: Session, topic: str, seconds: float, **sizes: int) -> None:
    """Measure how many messages a second the broker takes and gives.

    Three figures: batches pipelined over one connection, fetching these again, and single sends one after the other. Each
    send is acknowledged only when it is synced to the broker's disk.
    """
    import asyncio  # noqa: PLC0415 - slow to load

    from mq.rpc.admin_client import AdminClient  # noqa: PLC0415

    with session.connect() as connection:
        admin = AdminClient(connection)
        is_ours = topic == _TOPIC
        if topic not in {found.name for found in admin.topics()}:
            is_ours = True
            admin.create_topic(topic, queues=1)
    note(f"measuring {3 * seconds:g} s on {session.endpoint}, topic {topic}")
    figures = asyncio.run(_batches(session, topic, seconds, sizes))
    figures.append(_send_single(session, topic, seconds, sizes["body_bytes"]))
    if session.is_json:
        print_json({"body_bytes": sizes["body_bytes"], "batch": sizes["batch"], "window": sizes["window"], "figures": figures})
    else:
        columns = ("figure", "messages", "seconds", "per_second", "p50_ms", "p99_ms")
        print_table([name.replace("_", " ") for name in columns], [[figure[name] for name in columns] for figure in figures])
    # A topic of somebody else's is not proposed for deletion.
    note(f"the messages stay in topic {topic}" + (f"; remove it with: mq topic delete {topic}" if is_ours else ""))


def _figure(name: str, messages: int, seconds: float, took_s: list[float]) -> dict[str, object]:
    """took_s: of each call."""
    ordered = sorted(took_s) or [0.0]
    p50, p99 = (round(1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))], 2) for share in (0.5, 0.99))
    rate = round(messages / seconds) if seconds else 0
    return {"figure": name, "messages": messages, "seconds": round(seconds, 2), "per_second": rate, "p50_ms": p50, "p99_ms": p99}


def _new_ids() -> "MessageIds":
    from mq.rpc.message_client import new_message_ids  # noqa: PLC0415

    return new_message_ids()


async def _batches(session: Session, topic: str, seconds: float, sizes: dict[str, int]) -> list[dict[str, object]]:
    """Both in one event loop: what gRPC still has to tell the first one, it would tell a second one, and stumble over it."""
    return [await _send_batches(session, topic, seconds, sizes), await _fetch_batches(session, topic, seconds)]


async def _send_batches(session: Session, topic: str, seconds: float, sizes: dict[str, int]) -> dict[str, object]:
    from mq.client.batch import Columns  # noqa: PLC0415
    from mq.client.encoding import MessageEncoder  # noqa: PLC0415
    from mq.rpc.batch_client import BatchProducer  # noqa: PLC0415

    ids, encoder, bodies = _new_ids(), MessageEncoder(), [bytes(sizes["body_bytes"])] * sizes["batch"]
    took_s: list[float] = []
    futures = []
    async with BatchProducer(session.endpoint, window_batches=sizes["window"], timeout_s=session.timeout_s) as producer:
        began = time.perf_counter()
        while (now := time.perf_counter()) < began + seconds:
            messages = Columns(encoder.encode_shared(born_ms=time.time_ns() // 1_000_000), ids.take(len(bodies)), bodies)
            future = await producer.send(topic, messages, queue_id=0)
            future.add_done_callback(partial(_note_time, took_s, now))
            futures.append(future)
        await producer.flush()
        ended = time.perf_counter()
    stored = sum([(await future).count for future in futures])
    return _figure(f"send, batches of {len(bodies)}", stored, ended - began, took_s)


async def _fetch_batches(session: Session, topic: str, seconds: float) -> dict[str, object]:
    from contextlib import aclosing  # noqa: PLC0415

    from mq.rpc.batch_client import BatchFetcher  # noqa: PLC0415

    count, took_s = 0, []
    async with (
        BatchFetcher(session.endpoint, timeout_s=session.timeout_s) as fetcher,
        aclosing(fetcher.fetch(topic, 0)) as batches,
    ):
        began = last = time.perf_counter()
        async for batch in batches:
            count += len(batch.messages)
            now = time.perf_counter()
            took_s.append(now - last)
            last = now
            if now > began + seconds:
                break
    return _figure("fetch, as stored", count, last - began, took_s)


def _note_time(took_s: list[float], sent_at: float, _done: object) -> None:
    took_s.append(time.perf_counter() - sent_at)


def _send_single(session: Session, topic: str, seconds: float, body_bytes: int) -> dict[str, object]:
    from mq.rpc.message_client import MessageClient  # noqa: PLC0415

    body, took_s = bytes(body_bytes), []
    with session.connect() as connection:
        client = MessageClient(connection)
        began = last = time.perf_counter()
        while last < began + seconds:
            client.send(topic, body)
            now = time.perf_counter()
            took_s.append(now - last)
            last = now
    return _figure("send, one after the other", len(took_s), last - began, took_s)
