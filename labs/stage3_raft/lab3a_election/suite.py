"""The tests of lab 3a: what a Raft is to the grader, and all that is tried."""

from labs.grader.suite import Suite
from labs.stage3_raft.lab3a_election import schedules
from labs.stage3_raft.lab3a_election.schedules import SCHEDULES
from labs.stage3_raft.lab3a_election.sentences_more import SENTENCES
from labs.stage3_raft.remote import raft_seam

__all__ = ["SEAM", "SUITE"]

SEAM = raft_seam("Raft", "raft")

SUITE = Suite((*SENTENCES, *SCHEDULES), schedules.__name__)
