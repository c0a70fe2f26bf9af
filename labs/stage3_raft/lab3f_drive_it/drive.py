"""The story: three nodes on a student's Raft, official clients at work, and one fault after the other.

    start    three nodes, until each answers and one leads        calm   orders flow, nothing is wrong
    kill     SIGKILL for the leader                               back   it is started again, and has all that it missed
    pause    the leader stands still for a while, and goes on     cut    the leader hears nobody and nobody hears it; it is healed
    end      no more orders; all that were acknowledged arrive

Each step waits for orders to be acknowledged, by the official producer; the first that waits in vain is the last one, but for the
end. A node that ends though nobody told it to ends the story: a right Raft never does that.
"""

import time
from collections.abc import Callable
from contextlib import suppress

from labs.grader.running import patience
from labs.stage3_raft.lab3f_drive_it.history import Witness
from labs.stage3_raft.lab3f_drive_it.hosts import Hosts
from labs.stage3_raft.lab3f_drive_it.seen import Done, Ended, Organ, Seen
from mq.chaos.notes import TraceNotes
from mq.cluster.asking import ask_all, ask_broker, leader_of
from mq.cluster.backend import ClusterBackend
from mq.cluster.errors import ClusterError
from mq.cluster.polling import poll_until
from mq.core.errors import MqError
from mq.core.message import MessageKind
from mq.rpc.admin_client import AdminClient
from mq.rpc.calling import Connection

__all__ = ["NOTES", "STEPS", "Story", "StoryEndsError"]

STEPS = ("start", "calm", "kill", "back", "pause", "cut", "end")
NOTES = "zz-drive.trace"
"""What was done to nodes, among their traces: the last one by name, so that a cause that they tell comes first."""
_TOPIC, _GROUP, _QUEUES = "orders", "bakery", 4
_MORE = 40
"""So many orders more are waited for in each step."""
_STEP_S_MAX = 20.0
"""Until they are there. A right Raft needs a second or two for an election; longer, where many want a processor (`patience`)."""
_PATIENCE_MAX = 3.0
_END_S_MAX = 50.0
"""What was on its way to a consumer through a node that died comes again when it was hidden for 30 s."""
_CUT_S_MIN = 2.5
"""So long a leader is paused or cut off, whoever leads meanwhile: longer than its followers wait for it."""
_POLL_S = 0.1
_LOOK_S_MAX = 10.0


class StoryEndsError(Exception):
    """It cannot go on; the text says why, for the student."""


class Story:
    """One run. hosts: makes the cluster, and knows what its nodes leave. say: takes a line for people as it happens."""

    def __init__(self, hosts: Hosts, seen: Seen, say: Callable[[str], None]) -> None:
        self._hosts, self.seen, self._say = hosts, seen, say
        self._cluster: ClusterBackend | None = None
        self._witness: Witness | None = None
        self._killed: set[str] = set()
        self._notes = TraceNotes(seen.traces / NOTES)
        self._limit_s = _STEP_S_MAX * min(_PATIENCE_MAX, patience())

    def run(self) -> None:
        """From the first node to the end of the last. Nothing of it is left running, whatever happens."""
        try:
            try:
                self._step("start", self._start)
                with self._begun() as self._witness:
                    self._play()
            except StoryEndsError as error:
                self._tell(f"the story ends here: {error}")
        finally:
            self._close()

    def _play(self) -> None:
        try:
            self._step("calm", self._calm)
            for name, step in (("kill", self._kill), ("back", self._back), ("pause", self._pause), ("cut", self._cut)):
                self._step(name, step)
        finally:
            with suppress(StoryEndsError):
                self._step("end", self._end)

    def _close(self) -> None:
        self._notes.close()
        if self._cluster is not None:
            self._note_ended()
        self._hosts.close()

    # --- steps

    def _step(self, name: str, carry_out: Callable[[], None]) -> None:
        """Raises: StoryEndsError, which is noted."""
        began_s, why_not = time.monotonic(), ""
        try:
            carry_out()
        except StoryEndsError as error:
            why_not = str(error)
            raise
        except (ClusterError, MqError) as error:
            why_not = self._why(str(error))
            raise StoryEndsError(why_not) from error
        finally:
            ended_s = time.monotonic()
            gap_s = None
            if self._witness is not None:
                gap_s = self._witness.history.gap_s(began_s, ended_s)
            self.seen.steps[name] = Done(why_not, began_s, ended_s - began_s, gap_s)

    def _start(self) -> None:
        self._tell("three nodes are started with your organs")
        self._cluster = self._hosts.up()
        self.seen.runs_in = self._cluster.runs_in
        self._tell(f"they serve; {self._leader()} leads")
        with Connection(self._hosts.endpoint) as connection:
            admin = AdminClient(connection)
            admin.create_topic(_TOPIC, kind=MessageKind.FIFO, queues=_QUEUES)
            admin.create_group(_GROUP)

    def _begun(self) -> Witness:
        endpoint = self._hosts.endpoint.replace(",", ";")
        witness = Witness(endpoint, _TOPIC, _GROUP, self.seen.history.word, self.seen.folder / "witness")
        self.seen.history = witness.history
        return witness

    def _calm(self) -> None:
        assert self._witness is not None
        self._tell("an official RocketMQ producer sends orders, an official push consumer takes them")
        self._wait(lambda: self._witness is not None and self._witness.has_begun, "the official clients were not served")
        self._more("without any fault")
        before = len(self.seen.history.got)
        self._wait(lambda: len(self.seen.history.got) > before + _MORE // 2, "hardly any order was delivered")
        self._look_at_organs()

    def _kill(self) -> None:
        name = self._leader()
        self._killed.add(name)
        with self._notes.doing(self._number(name), "kill") as began_us:
            self.seen.killed, self.seen.killed_s = name, began_us / 1e6
            self._there.kill(name)
        self._tell(f"SIGKILL: {name}, the leader, is dead, in mid-stream")
        self._more(f"after {name}, the leader, was killed")
        self._tell(f"{self._leader(but=name)} leads; nobody told the producer, and it goes on")

    def _back(self) -> None:
        name = self.seen.killed
        self._killed.discard(name)
        is_serving = self._there.start(name)
        if not is_serving:
            raise StoryEndsError(self._why(f"{name} was started again, and does not serve"))
        self._more(f"after {name} was started again")
        nodes = self._there.status().nodes
        goal = max(answer.last_index for answer in ask_all(nodes, ask_broker).values() if answer is not None)

        def has_all() -> bool:
            answer = ask_broker(self._client(name))
            return answer is not None and answer.last_index >= goal

        self._wait(has_all, f"{name} does not catch up with the others")
        self._tell(f"{name} is back, and has all that it missed")

    def _pause(self) -> None:
        name = self._leader()
        number = self._number(name)
        with self._notes.doing(number, "pause"):
            self._there.pause(name)
        self._tell(f"{name}, the leader, stands still, with all its connections open")
        try:
            # Clients that are connected with this very node wait with it: nothing tells them that it stands still.
            self._last(_CUT_S_MIN)
            self._tell(f"{self._leader(but=name)} leads meanwhile")
        finally:
            self._notes.note(number, "resume")
            self._there.resume(name)
        self._tell(f"{name} goes on")
        self._more(f"after {name} went on")

    def _cut(self) -> None:
        name = self._leader()
        self._note_links("cut", name)
        self._there.isolate(name)
        self._tell(f"{name}, the leader, is cut off from both others")
        try:
            self._last(_CUT_S_MIN)
            self._more(f"while {name}, the leader, was cut off")
        finally:
            self._note_links("mend", name)
            self._there.heal()
        self._tell("the network is whole again")
        self._more("after the network was healed")

    def _note_links(self, what: str, name: str) -> None:
        own = self._number(name)
        for node in self._there.status().nodes:
            if node.node != own:
                self._notes.note(0, what, sender=f"n{own}", to=f"n{node.node}")
                self._notes.note(0, what, sender=f"n{node.node}", to=f"n{own}")

    def _end(self) -> None:
        assert self._witness is not None
        witness, history, limit_s = self._witness, self.seen.history, _END_S_MAX * min(_PATIENCE_MAX, patience())
        witness.stop_sending()
        self._tell("no more orders; what was acknowledged is still to arrive")
        if self.seen.is_done("cut"):
            # What is under way may still be acknowledged: until then nobody knows what has to arrive.
            self._wait(lambda: witness.has_stopped, "the producer still waits for an answer", limit_s=limit_s)
            self._wait(lambda: not history.lost(), "not every acknowledged order arrived", limit_s=limit_s)
        self._look_at_organs()

    # --- waiting

    def _more(self, when: str, count: int = _MORE) -> None:
        goal = len(self.seen.history.sent) + count
        self._wait(lambda: len(self.seen.history.sent) >= goal, f"hardly any order was acknowledged {when}")

    def _last(self, seconds: float) -> None:
        """Let something last for so long: longer than followers wait for their leader."""
        end_s = time.monotonic() + seconds
        self._wait(lambda: time.monotonic() > end_s, "")

    def _wait(self, is_so: Callable[[], bool], lack: str, *, limit_s: float = 0.0) -> None:
        """Raises: StoryEndsError when it does not come true in time, or when a node ends by itself meanwhile."""
        limit_s = limit_s or self._limit_s
        end_s = time.monotonic() + limit_s
        look_s = 0.0
        while not is_so():
            now_s = time.monotonic()
            if now_s > look_s:
                look_s = now_s + 5 * _POLL_S
                self._look_at_nodes()
            if now_s > end_s:
                raise StoryEndsError(self._why(f"{lack} (within {limit_s:.0f} s)"))
            time.sleep(_POLL_S)

    def _look_at_nodes(self) -> None:
        self._note_ended()
        if self.seen.ended:
            first = self.seen.ended[0]
            raise StoryEndsError(f"{first.node} ended by itself{': ' + first.said if first.said else ''}")
        if self._witness is not None and self._witness.has_ended:
            self.seen.broke_off = "the process with the official clients ended: see witness/witness.log"
            raise StoryEndsError(self.seen.broke_off)

    def _note_ended(self) -> None:
        known = {one.node for one in self.seen.ended}
        for node in self._there.status().nodes:
            if node.state == "stopped" and node.name not in self._killed and node.name not in known:
                self.seen.ended.append(Ended(node.name, self._hosts.last_words(node.name)))

    def _why(self, what: str) -> str:
        """A node that ended by itself is a better reason than what came of it."""
        if self._cluster is not None:
            self._note_ended()
        if self.seen.ended:
            return f"{self.seen.ended[0].node} ended by itself: {self.seen.ended[0].said or 'without a word'}"
        return what

    # --- nodes

    @property
    def _there(self) -> ClusterBackend:
        assert self._cluster is not None
        return self._cluster

    def _leader(self, *, but: str = "") -> str:
        """The node that leads. but: it is dead, and others may not know yet."""
        found: list[str] = []

        def is_known() -> bool:
            nodes = self._there.status().nodes
            found[:] = [name for name in leader_of(nodes, ask_all(nodes, ask_broker)).values() if name != but]
            return bool(found)

        self._wait(is_known, "no node says that it leads")
        return found[0]

    def _number(self, name: str) -> int:
        return next(node.node for node in self._there.status().nodes if node.name == name)

    def _client(self, name: str) -> str:
        return next(node.client for node in self._there.status().nodes if node.name == name)

    def _look_at_organs(self) -> None:
        """As `mq raft status` does: each node is asked for itself. Of one that does not answer for long, what it said before."""
        found = {(one.node, one.name): one for one in self.seen.organs}
        waiting = {node.node: node.client for node in self._there.status().nodes if node.state == "running"}

        def have_answered() -> bool:
            for number, client in list(waiting.items()):
                with suppress(MqError), Connection(client) as connection:
                    for one in AdminClient(connection).describe_raft().organs:
                        if not one.class_name.startswith("mq."):
                            found[number, one.name] = Organ(number, one.name, one.class_name, one.calls)
                    del waiting[number]
            return not waiting

        poll_until(have_answered, _LOOK_S_MAX)
        self.seen.organs = [found[key] for key in sorted(found)]

    def _tell(self, line: str) -> None:
        self.seen.told.append(line)
        self._say(line)
