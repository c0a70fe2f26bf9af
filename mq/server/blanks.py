"""What is left on the disk of a plan that found no room.

The log goes on before all of it. What it writes next need not cover it: a whole group that stands right behind would be found
when the log is opened again, as if it belonged there.
"""

from mq.core.ports import Create, Operation, Plan, Remove, Sync, Write

__all__ = ["blanks"]


def blanks(plan: Plan) -> Plan:
    """Zeros in the place of whatever the plan may have written, durably: before anything else is written there.

    Files that it was about to make go, and go first: a segment that begins behind zeros would prove that these are damage. Zeros
    need no room, the bytes are there already.
    """
    made = [operation.file for operation in plan if isinstance(operation, Create)]
    written = [operation for operation in plan if isinstance(operation, Write) and operation.file not in made]
    removed: list[Operation] = [Remove(file) for file in made]
    zeros = [Write(one.file, one.at, bytes(len(one.data))) for one in written]
    return (*removed, *zeros, *(Sync(file) for file in sorted({one.file for one in written})))
