"""A second opening sets the account to 0."""

from labs.stage1_single_node.lab1d_idempotent_consumer.orders import Opening
from labs.stage1_single_node.lab1d_idempotent_consumer.solution.consumer import OrderConsumer as Reference

__all__ = ["OrderConsumer"]


class OrderConsumer(Reference):
    """See above."""

    def open_account(self, opening: Opening) -> dict[str, str | None]:
        self.accounts[opening.customer] = 0
        return {f"account:{opening.customer}": "0"}
