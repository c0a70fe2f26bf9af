"""How many attempts there are stands in the code: three, whatever it is told."""

from collections.abc import Mapping

from labs.stage1_single_node.lab1d_idempotent_consumer.solution.consumer import OrderConsumer as Reference

__all__ = ["OrderConsumer"]


class OrderConsumer(Reference):
    """See above."""

    def __init__(self, rows: Mapping[str, str], *, keep_ms: int, attempts_max: int, retry_ms: int) -> None:  # noqa: ARG002 - the mistake
        super().__init__(rows, keep_ms=keep_ms, attempts_max=3, retry_ms=retry_ms)
