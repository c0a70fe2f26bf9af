"""How much a plan of a student's asks of the disk that it is carried out on, which lies in the grader's own memory."""

from mq.core.ports import Create, Operation, Plan, Replace, Write

__all__ = ["disk_bytes"]


def _end(operation: Operation) -> int:
    match operation:
        case Create(size_bytes=size_bytes):
            return size_bytes
        case Write(at=at, data=data):
            return at + len(data) if at >= 0 else at
        case Replace(data=data):
            return len(data)
    return 0


def disk_bytes(plan: Plan) -> int:
    """How large its files get, all together; below 0 when one of them would begin before its first byte."""
    ends: dict[str, int] = {}
    for operation in plan:
        end = _end(operation)
        if end < 0:
            return end
        ends[operation.file] = max(end, ends.get(operation.file, 0))
    return sum(ends.values())
