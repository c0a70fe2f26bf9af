"""Traces written by hand, in the words of `mq.sim.group.events`: an election, Figure 8, a snapshot, and each fault once."""

from mq.sim.trace import Event, Value


class Pen:
    """Writes events. Each verb is one step of a node; `at_ms` moves on by a step before most of them."""

    def __init__(self, *node_ids: int, step_ms: int = 5) -> None:
        self.events: list[Event] = []
        self.at_ms, self.step_ms = 0, step_ms
        self.sequences: dict[str, int] = {}
        self.open: dict[str, tuple[int, int]] = {}
        self._next = 0
        for node_id in node_ids:
            members = ",".join(map(str, node_ids))
            self.note(node_id, "start", term=0, vote="-", first=1, last=0, last_term=0, snapshot=0, members=members)

    def note(self, node: int, name: str, **details: Value) -> None:
        self.events.append(Event(self.at_ms, f"n{node}" if node else "-", name, details))

    def later(self, ms: int | None = None) -> None:
        self.at_ms += self.step_ms if ms is None else ms

    # ------------------------------------------------------------ messages

    def send(self, sender: int, to: int, kind: str, term: int, **details: Value) -> str:
        self._next += 1
        message = f"m{self._next}"
        self.open[message] = (sender, to)
        self.note(sender, "send", id=message, kind=kind, to=to, term=term, **details)
        return message

    def receive(self, message: str) -> None:
        sender, to = self.open[message]
        kind = next(event for event in self.events if event.details.get("id") == message).text("kind")
        self.note(to, "receive", id=message, kind=kind, sender=sender)

    def lose(self, message: str, why: str = "cut") -> None:
        self.note(0, "lose", id=message, why=why)

    def ask_votes(self, candidate: int, term: int, others: list[int], last: tuple[int, int] = (0, 0), pre: int = 0) -> list[str]:
        """last: (index, term)."""
        if pre:
            self.note(candidate, "role", role="pre-candidate", term=term - 1, leader="-")
        else:
            self.note(candidate, "role", role="candidate", term=term, leader="-")
            self.note(candidate, "vote", term=term, **{"for": candidate})
        asked = {"last_index": last[0], "last_term": last[1], "pre": pre, "transfer": 0}
        return [self.send(candidate, other, "vote-request", term, **asked) for other in others]

    def vote(self, message: str, term: int, *, granted: int = 1, pre: int = 0, becomes: str = "") -> str:
        sender, to = self.open[message]
        self.receive(message)
        if becomes:
            self.note(to, "role", role=becomes, term=term, leader="-")
        if granted and not pre:
            self.note(to, "vote", term=term, **{"for": sender})
        return self.send(to, sender, "vote-reply", term, granted=granted, pre=pre)

    def lead(self, node: int, term: int) -> None:
        self.note(node, "role", role="leader", term=term, leader=node)

    def append(self, node: int, after: int, terms: str, *, saved: bool = True) -> int:
        sequence = self.sequences[f"n{node}"] = self.sequences.get(f"n{node}", 0) + 1
        bodies = ",".join(f"xb{n}" for n, _ in enumerate(terms.split(",")))
        self.note(node, "append", after=after, terms=terms, bodies=bodies, sequence=sequence)
        if saved:
            durable = after + len(terms.split(","))
            self.note(node, "save", sequence=sequence, term=int(terms[-1]), vote="-", durable=durable)
        return sequence

    def entries(self, leader: int, to: int, term: int, previous: tuple[int, int], terms: str = "-", commit: int = 0) -> str:
        bodies = "-" if terms == "-" else ",".join("xb" for _ in terms.split(","))
        details: dict[str, Value] = {"previous_index": previous[0], "previous_term": previous[1], "terms": terms}
        return self.send(leader, to, "append-request", term, **details, bodies=bodies, commit=commit, round=1)

    def take(self, message: str, after: int, terms: str, term: int, *, leader: int = 0) -> str:
        """A follower takes entries, saves them and says so."""
        sender, to = self.open[message]
        self.receive(message)
        if leader:
            self.note(to, "role", role="follower", term=term, leader=leader)
        self.append(to, after, terms, saved=True)
        return self.ok(to, sender, term, after + len(terms.split(",")))

    def ok(self, sender: int, to: int, term: int, match: int) -> str:
        details: dict[str, Value] = {"matching": 1, "match": match, "rejected": 0, "hint_index": 0, "hint_term": 0}
        return self.send(sender, to, "append-reply", term, **details, round=1)

    def reject(self, sender: int, to: int, term: int, rejected: int, hint: tuple[int, int]) -> str:
        details: dict[str, Value] = {"matching": 0, "match": 0, "rejected": rejected, "hint_index": hint[0], "hint_term": hint[1]}
        return self.send(sender, to, "append-reply", term, **details, round=1)

    def commit(self, node: int, index: int, term: int) -> None:
        self.note(node, "commit", index=index, term=term)
        self.note(node, "apply", index=index, term=term, body="xb")


def split_vote() -> list[Event]:
    """Three nodes: two campaign at once and neither wins; one message is late; the next election is won."""
    pen = Pen(1, 2, 3, step_ms=6)
    late = _two_candidates(pen)
    pen.later(180)
    to_n2, to_n3 = pen.ask_votes(1, 2, [2, 3])
    pen.later()
    yes = [pen.vote(message, 2, becomes="follower") for message in (to_n2, to_n3)]
    pen.later()
    pen.receive(yes[0])
    pen.lead(1, 2)
    pen.append(1, 0, "2")
    first = [pen.entries(1, other, 2, (0, 0), "2") for other in (2, 3)]
    pen.later()
    pen.receive(yes[1])
    answers = [pen.take(message, 0, "2", 2, leader=1) for message in first]
    pen.later()
    pen.receive(late)
    pen.later()
    pen.receive(answers[0])
    pen.commit(1, 1, 2)
    pen.receive(answers[1])
    for number in range(3):
        _heartbeat(pen, is_news=number == 0)
    return pen.events


def _two_candidates(pen: Pen) -> str:
    """Returns the vote request that has not arrived yet."""
    pen.later(150)
    to_n2, to_n3 = pen.ask_votes(1, 1, [2, 3])
    other_n1, other_n3 = pen.ask_votes(2, 1, [1, 3])
    pen.later()
    answers = [pen.vote(message, 1, granted=0) for message in (to_n2, other_n1)]
    pen.lose(to_n3, "loss")
    pen.later()
    for message in answers:
        pen.receive(message)
    return other_n3


def _heartbeat(pen: Pen, *, is_news: bool) -> None:
    pen.later(50)
    beats = [pen.entries(1, other, 2, (1, 2), commit=1) for other in (2, 3)]
    pen.later(2)
    for beat, other in zip(beats, (2, 3), strict=True):
        pen.receive(beat)
        if is_news:
            pen.commit(other, 1, 2)
        answer = pen.ok(other, 1, 2, 1)
        pen.later(1)
        pen.receive(answer)


def _elect(pen: Pen, node: int, term: int, voters: list[int], last: tuple[int, int]) -> None:
    pen.later(100)
    asked = pen.ask_votes(node, term, voters, last)
    pen.later()
    answers = [pen.vote(message, term, becomes="follower") for message in asked]
    pen.later()
    for message in answers:
        pen.receive(message)
    pen.lead(node, term)


def figure_8() -> list[Event]:
    """Paper: Raft, figure 8 (a) to (d): an entry of term 2 on a majority, and yet superseded."""
    pen = Pen(1, 2, 3, 4, 5)
    _elect(pen, 1, 1, [2, 3, 4, 5], (0, 0))
    _replicate(pen, 1, 1, [2, 3, 4, 5], 0, "1", own=True)
    pen.commit(1, 1, 1)
    _elect(pen, 1, 2, [2, 3], (1, 1))  # (a)
    pen.append(1, 1, "2")
    message, gone = pen.entries(1, 2, 2, (1, 1), "2"), pen.entries(1, 3, 2, (1, 1), "2")
    pen.lose(gone)
    pen.later()
    pen.lose(pen.take(message, 1, "2", 2, leader=1), "down")
    pen.note(1, "kill")
    _elect(pen, 5, 3, [3, 4], (1, 1))  # (b)
    pen.append(5, 1, "3")
    pen.note(5, "kill")
    pen.later(50)
    pen.note(1, "start", term=2, vote=1, first=1, last=2, last_term=2, snapshot=0, members="1,2,3,4,5")
    _elect(pen, 1, 4, [2, 3], (2, 2))  # (c)
    pen.append(1, 2, "4")
    _replicate(pen, 1, 4, [3], 1, "2")
    pen.commit(1, 2, 2)  # what the rule of figure 8 forbids
    pen.note(1, "kill")
    pen.later(50)
    pen.note(5, "start", term=3, vote=5, first=1, last=2, last_term=3, snapshot=0, members="1,2,3,4,5")
    _elect(pen, 5, 5, [2, 3, 4], (2, 3))  # (d)
    _replicate(pen, 5, 5, [2, 3, 4], 1, "3")
    pen.commit(5, 2, 3)
    return pen.events


def _replicate(pen: Pen, leader: int, term: int, followers: list[int], after: int, terms: str, *, own: bool = False) -> None:
    if own:
        pen.append(leader, after, terms)
    sent = [pen.entries(leader, other, term, (after, min(after, 1)), terms) for other in followers]
    pen.later()
    answers = [pen.take(message, after, terms, term, leader=leader) for message in sent]
    pen.later()
    for message in answers:
        pen.receive(message)


def snapshot() -> list[Event]:
    """A follower was down for so long that the leader has forgotten what it lacks."""
    pen = Pen(1, 2, 3)
    _elect(pen, 1, 1, [2, 3], (0, 0))
    pen.later()
    pen.note(3, "kill")
    pen.later(20)
    pen.note(1, "propose", request="r1", body="x5f2a")
    pen.note(1, "proposed", request="r1", index=2, term=1)
    pen.append(1, 0, "1,1,1,1")
    pen.lose(pen.entries(1, 3, 1, (0, 0), "1,1,1,1"), "down")
    _replicate(pen, 1, 1, [2], 0, "1,1,1,1")
    pen.commit(1, 4, 1)
    pen.note(0, "done", request="r1", index=2, term=1)
    pen.later(30)
    pen.note(1, "snapshot", index=4, term=1)
    pen.note(1, "forget", first=5)
    pen.later(100)
    pen.note(3, "start", term=1, vote=1, first=1, last=0, last_term=0, snapshot=0, members="1,2,3")
    pen.later(10)
    beat = pen.entries(1, 3, 1, (4, 1), commit=4)
    pen.later()
    pen.receive(beat)
    no = pen.reject(3, 1, 1, 4, (0, 0))
    pen.later()
    pen.receive(no)
    _stream(pen)
    pen.append(1, 4, "1", saved=False)
    _replicate(pen, 1, 1, [2, 3], 4, "1")
    pen.commit(1, 5, 1)
    return pen.events


def _stream(pen: Pen) -> None:
    """Two chunks to the third node, which installs the snapshot."""
    details: dict[str, Value] = {"index": 4, "snapshot_term": 1}
    for at, size, is_last in ((0, 64, 0), (64, 32, 1)):
        chunk = pen.send(1, 3, "snapshot-request", 1, **details, at=at, size=size, is_last=is_last)
        pen.later()
        pen.receive(chunk)
        if is_last:
            pen.note(3, "install", index=4, term=1)
        answer = pen.send(3, 1, "snapshot-reply", 1, **details, received=at + size, installed=is_last)
        pen.later()
        pen.receive(answer)


def faults() -> list[Event]:
    """Each fault and each order from outside once."""
    pen = Pen(1, 2, 3)
    pen.later(100)
    pen.lead(1, 1)
    pen.append(1, 0, "1")
    for sender, to in ((1, 2), (2, 1), (1, 3)):
        pen.note(0, "cut", sender=f"n{sender}", to=f"n{to}")
    _node_faults(pen)
    for name in ("hold", "release", "mend"):
        pen.later()
        pen.note(0, name, sender=1, to=2)
    pen.later()
    pen.note(2, "resume")
    pen.note(3, "drift", percent=150)
    pen.later()
    pen.append(1, 1, "1,1,1", saved=False)
    pen.later()
    pen.note(1, "power-loss", kept=0, lost=3)
    pen.later(40)
    pen.note(1, "start", term=1, vote=1, first=1, last=1, last_term=1, snapshot=0, members="1,2,3")
    pen.later()
    pen.note(1, "read", request="r9", floor=1)
    pen.note(1, "answer", request="r9", index=1)
    pen.note(1, "unknown", request="r8")
    pen.later()
    pen.note(1, "change", voters="1,2", learners="3")
    pen.note(3, "transfer", to="n2")
    pen.later()
    pen.note(1, "members", voters="1,2", old="1,2,3", learners="-")
    pen.note(2, "campaign")
    pen.ask_votes(2, 2, [1, 3], pre=1)
    return pen.events


def _node_faults(pen: Pen) -> None:
    pen.later()
    pen.note(2, "pause")
    pen.later()
    pen.note(3, "slow-disk", ms=200)
    pen.note(3, "sync-fails")
    pen.later()
    pen.note(1, "disk-full")
    pen.append(1, 1, "1,1", saved=False)
    pen.note(1, "save-failed", sequence=pen.sequences["n1"], definite=1)
    pen.note(1, "disk-free")
    pen.later()
    pen.note(3, "save-failed", sequence=0, definite=0)
    pen.note(3, "role", role="mute", term=0, leader="-")


TRACES = {"split_vote": split_vote, "figure_8": figure_8, "snapshot": snapshot, "faults": faults}
