"""All that it knows is one text, with a line for every request that it ever answered; the snapshot is that text."""

__all__ = ["TicketMachine"]


class TicketMachine:
    """text: tickets on the roll, then a line for each request: caller, number, ticket (0 for none)."""

    def __init__(self, tickets: int) -> None:
        self._text = str(tickets)

    def _lines(self) -> list[list[str]]:
        return [line.split() for line in self._text.splitlines()[1:]]

    def _tickets(self) -> int:
        return int(self._text.splitlines()[0])

    def take(self, caller: str, number: int) -> int | None:
        mine = {int(line[1]): int(line[2]) for line in self._lines() if line[0] == caller}
        newest = max(mine, default=0)
        if number < newest:
            return None
        if number > newest:
            mine[number] = self._tickets() - self.left() + 1 if self.left() else 0
            self._text += f"\n{caller} {number} {mine[number]}"
        return mine[number] or None

    def left(self) -> int:
        return self._tickets() - sum(line[2] != "0" for line in self._lines())

    def to_plain(self) -> str:
        return self._text

    @classmethod
    def from_plain(cls, plain: str) -> "TicketMachine":
        made = cls(0)
        made._text = plain
        return made
