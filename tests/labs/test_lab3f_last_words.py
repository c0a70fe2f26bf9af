"""Lab 3f: what is told of a node that ended by itself, from its log."""

from pathlib import Path

import pytest

from labs.stage3_raft.lab3f_drive_it.hosts import telling
from tests.labs.lab3f import GROWS, drive
from tools.drives import whole_raft

PLACE = "raft.py, line 6, in step"
RAISED, HUNG = f"raft: `step` raised KeyError: 4 ({PLACE})", "raft: `step` did not come back within 2 s: this node stops."
HELD = "raft: `step` did not come back within 2 s and holds the interpreter: this node is ended."
HELD_LOG = f"""{HELD} It was here, the newest line first:
Thread 0x01 (most recent call first):
  File "/x/organs/raft.py", line 900 in count

Current thread 0x02 (most recent call first):
  File "/usr/lib/python3.11/re/__init__.py", line 166 in match
  File "/x/organs/raft.py", line 6 in step
  File "/x/organs/raft.py", line 2 in call
  File "/x/mq/server/organs.py", line 260 in run
"""


@pytest.mark.parametrize(
    ("log", "told"),
    [
        ("", ""),
        ("2026-11-30 10:00:00.1 INFO    broker: stopped\n", "stopped"),
        (f"2026-11-30T10:00:00.1Z ERROR   broker: the broker cannot start: {RAISED}\nINFO    broker: stopped\n", RAISED),
        (f'ERROR   {HUNG} It was here:\n  File "/x/organs/raft.py", line 6, in step\n    while True:\n', f"{HUNG} ({PLACE})"),
        (
            f'{HUNG} It was here:\n  File "/x/organs/raft.py", line 6, in step\n    except KeyError:  # raft: Error\n',
            f"{HUNG} ({PLACE})",
        ),
        (
            HELD_LOG,
            f"{HELD} ({PLACE})",
        ),
        (f"{HELD} It was here, the newest line first:\n", HELD),
        ("ERROR   raft: \x1b[2J\n", "raft: \N{REPLACEMENT CHARACTER}[2J"),
    ],
)
def test_of_a_log_that_line_is_told_which_says_why(log: str, told: str) -> None:
    assert telling(log) == told


# --- memory


@pytest.mark.cluster
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_of_a_process_whose_memory_ran_out_that_is_told_with_its_limit(tmp_path: Path) -> None:
    outcomes, _ = drive(whole_raft() + GROWS, tmp_path / "run", with_reference=False)
    told = next(one.message for one in outcomes.values() if not one.is_passed)
    assert "`step` raised MemoryError (" in told, told
    assert f"organs/raft.py, line {line_of('append')}, in step)" in told
    assert "memory ran out: a node may use 1,024 MiB here" in told


def line_of(word: str) -> int:
    """Of the file that is handed in: the only one in which it stands at that place."""
    lines = (whole_raft() + GROWS).split("\n")
    return next(number for number, line in enumerate(lines, 1) if line.strip().startswith(f"kept.{word}"))


def test_what_a_container_has_wanted_too_much_of_is_told_while_it_starts_too() -> None:
    log = "broker-a-1 ended with exit status 137 while starting; the end of its log:\nINFO    broker: opened\n"
    assert telling(f"{log}memory ran out: it may use 768 MiB") == "memory ran out: it may use 768 MiB"
