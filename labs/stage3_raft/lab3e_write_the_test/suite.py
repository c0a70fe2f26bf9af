"""The tests of lab 3e: nothing of a student's runs in them."""

from labs.grader.seams import NO_CODE
from labs.grader.suite import Suite
from labs.stage3_raft.lab3e_write_the_test.own_tests import OWN_TESTS

__all__ = ["SEAM", "SUITE"]

SEAM = NO_CODE

SUITE = Suite(OWN_TESTS)
