"""The tests of lab 0: what the ticket machine is to the grader, and all that is tried."""

from labs.grader.seams import Seam
from labs.grader.suite import Suite
from labs.stage0_tools.lab0_tools.port import Machine
from labs.stage0_tools.lab0_tools.reading import READING
from labs.stage0_tools.lab0_tools.schedules import SCHEDULES
from labs.stage0_tools.lab0_tools.search import SEARCHES
from labs.stage0_tools.lab0_tools.sentences import SENTENCES

__all__ = ["SEAM", "SUITE"]

SEAM = Seam(Machine, "TicketMachine", "ticket_machine", methods=("take", "left", "to_plain"), observed=(), makers=("from_plain",))

SUITE = Suite((*SENTENCES, *SCHEDULES, *SEARCHES, *READING))
