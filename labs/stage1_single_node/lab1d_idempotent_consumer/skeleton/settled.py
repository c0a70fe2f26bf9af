"""Which orders are settled: booked, or set aside for good. Kept in rows of the store, one for each key, for a limited time."""

from collections.abc import Mapping

__all__ = ["Settled"]

_PREFIX = "settled:"


class Settled:
    """orders: by key, when it was settled (ms) and what its body said. keep_ms: how long that is remembered.

    A row is called `settled:KEY` and holds both, with a blank between: `1000 anna: 3 loaves`.
    """

    def __init__(self, rows: Mapping[str, str], keep_ms: int) -> None:
        self.keep_ms = keep_ms
        self.orders: dict[str, tuple[int, str]] = {}
        for name, value in rows.items():
            if name.startswith(_PREFIX):
                self.load(name.removeprefix(_PREFIX), value)

    def load(self, key: str, value: str) -> None:
        """Take in one row that a consumer before this one noted. value: what stands in it."""
        raise NotImplementedError("lab 1d: Settled.load")

    def body_of(self, key: str) -> str | None:
        """What the settled order of this key said; None when there is none."""
        found = self.orders.get(key)
        return None if found is None else found[1]

    def note(self, key: str, body: str, now_ms: int) -> dict[str, str | None]:
        """An order is settled from now on. Returns the row that says so, for the store."""
        self.orders[key] = (now_ms, body)
        return {_PREFIX + key: f"{now_ms} {body}"}

    def forget(self, now_ms: int) -> dict[str, str | None]:
        """Forget what was settled more than `keep_ms` ago. Returns the rows that go: each with None."""
        old = [key for key, (at_ms, _) in self.orders.items() if at_ms + self.keep_ms < now_ms]
        if not old:
            return {}
        raise NotImplementedError("lab 1d: Settled.forget")
