"""The tests of lab 3b: what a Raft is to the grader, and all that is tried."""

from labs.grader.suite import Suite
from labs.stage3_raft.lab3b_replication import schedules
from labs.stage3_raft.lab3b_replication.by_hand import BY_HAND
from labs.stage3_raft.lab3b_replication.schedules import SCHEDULES
from labs.stage3_raft.lab3b_replication.search import SEARCHES
from labs.stage3_raft.lab3b_replication.sentences_given import SENTENCES
from labs.stage3_raft.points import in_100_points
from labs.stage3_raft.remote import raft_seam

__all__ = ["SEAM", "SUITE"]

SEAM = raft_seam("Raft", "raft")

SUITE = Suite(in_100_points(SENTENCES, (*SCHEDULES, BY_HAND), SEARCHES), schedules.__name__)
