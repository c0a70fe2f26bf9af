"""A look at the entries of a queue that gave a wrong answer to a time: the times in there may be what is wrong."""

from typing import Any

from labs.grader.process import ProcessGoneError
from labs.grader.seams import drive_on
from labs.stage1_single_node.lab1b_consume_queue.bench import ALL
from labs.stage1_single_node.lab1b_consume_queue.model import Model
from labs.stage1_single_node.lab1b_consume_queue.shelf import Shelf
from mq.sim.disk import SimDisk

__all__ = ["look_for_times"]


def look_for_times(model: Model, store_ms: int, found: int, shelf: Shelf, queue: Any, disk: SimDisk) -> None:
    """Tells the shelf what the entries say, when `found` is not what the time leads to. It raises nothing of its own."""
    if found == model.offset_at(store_ms):
        return
    try:
        shelf.saw(drive_on(queue, "entries", disk, 0, ALL))
    except ProcessGoneError:
        raise  # whose code does not come back from there is told that
    except Exception:  # noqa: BLE001 - the failure that is about to be told stays the one that it is
        return
