"""`mq broker` that dies as a leader the moment a growth of the voters is committed, before it carries out what follows from it.

`python -m tests.cluster.dying_leader_broker FLAGS...`, with the flags of `mq broker`. A file `NAME.dies` beside the data folder
NAME says when: `joint`, when the configuration with both sets of voters is committed, or `done`, when the new one is.
"""

import os
import signal
import sys
from pathlib import Path

from mq.cli.main import main
from mq.core.ids import LogIndex
from mq.raft.node import RaftNode
from mq.raft.role import Role

_on_committed = RaftNode._on_committed


def _die_or_go_on(core: RaftNode, before: LogIndex) -> None:
    switch = Path(sys.argv[sys.argv.index("--data") + 1]).with_suffix(".dies")
    if core.role is Role.LEADER and switch.exists() and switch.read_text(encoding="utf-8") == _grown(core, before):
        switch.unlink()
        os.kill(os.getpid(), signal.SIGKILL)
    _on_committed(core, before)


def _grown(core: RaftNode, before: LogIndex) -> str:
    """joint or done, when the voters just became more; else empty."""
    index, newest = core.configurations[-1]
    if not before < index <= core.commit_index:
        return ""
    if newest.is_joint:
        return "joint" if len(newest.voters) > len(newest.old_voters) else ""
    earlier = core.configurations[-2][1] if len(core.configurations) > 1 else newest
    return "done" if earlier.is_joint and len(earlier.voters) > len(earlier.old_voters) else ""


if __name__ == "__main__":
    RaftNode._on_committed = _die_or_go_on  # type: ignore[method-assign, assignment]
    sys.exit(main(["broker", *sys.argv[1:]]))
