"""The tests of lab 1a: what the log is to the grader, and all that is tried."""

from labs.grader.seams import Seam
from labs.grader.suite import Suite
from labs.stage1_single_node.lab1a_commit_log import schedules
from labs.stage1_single_node.lab1a_commit_log.crash_points import SEARCHES
from labs.stage1_single_node.lab1a_commit_log.own_tests import OWN_TESTS
from labs.stage1_single_node.lab1a_commit_log.picture import pictured
from labs.stage1_single_node.lab1a_commit_log.schedules import SCHEDULES
from labs.stage1_single_node.lab1a_commit_log.sentences_more import SENTENCES
from mq.broker.store.checkpoint import Checkpoint
from mq.broker.store.commit_log import CommitLog
from mq.broker.store.log_view import Damage, Recovery, SegmentView, StoredEntry, TornTail
from mq.core.entry import Appended, Entry, EntryKind, HardState, RecordPlace
from mq.core.ids import EntryId
from mq.core.ports import Create, Read, Remove, Replace, Sync, Write

__all__ = ["SEAM", "SUITE"]

_CLASSES: tuple[type, ...] = (
    Create, Write, Sync, Replace, Remove, Read,
    Entry, EntryKind, EntryId, HardState, RecordPlace, Appended,
    Checkpoint, Damage, Recovery, SegmentView, StoredEntry, TornTail,
)  # fmt: skip

SEAM = Seam(
    CommitLog, "CommitLog", "commit_log",
    methods=(
        "append", "synced", "abandon", "note_durable", "term_at", "segments", "read", "decode", "entries", "checkpoint",
        "drop_before", "recover", "reset",
    ),
    observed=("first_index", "last_index", "durable_index", "hard_state", "is_damaged"),
    classes=_CLASSES,
)  # fmt: skip

SUITE = Suite(tuple(map(pictured, (*SENTENCES, *SCHEDULES, *SEARCHES, *OWN_TESTS))), schedules.__name__)
