"""What a notebook shows of a check and of a replay: the first failure with its picture, and what to do next."""

import json
import re
from pathlib import Path

import pytest

from labs.grader.cell import cell_of
from labs.grader.lab import find_lab
from labs.grader.notebook import check, replay
from labs.grader.result import REPLAY, Failure, Grade, Outcome
from labs.grader.skeleton import skeleton_of, solution_of, write_all
from labs.grader.submission import SubmissionError
from mq.cli.main import main

LAB1C = find_lab("lab1c")
LAB0 = find_lab("lab0")
ACK = """        if self.valid(queue_id, offset, stamp, now_ms) is None:
            return False
        del self._queues[queue_id].in_flight[offset]
        return True
"""
ACK_THAT_FORGETS = "        return self.valid(queue_id, offset, stamp, now_ms) is not None\n"


@pytest.fixture(scope="module")
def wrong(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A student's table that says yes to an ack, and leaves the message in flight."""
    folder = tmp_path_factory.mktemp("work") / LAB1C.id
    files = solution_of(LAB1C)
    assert ACK in files["table.py"]
    write_all(folder, {**files, "table.py": files["table.py"].replace(ACK, ACK_THAT_FORGETS)})
    return folder


def test_a_check_shows_an_acknowledged_message_that_comes_again_its_picture_and_what_to_do_next(wrong: Path) -> None:
    shown = check("lab1c", wrong)
    told = shown._repr_html_()
    places = [
        told.index(part)
        for part in (
            "<strong>An acknowledged message is never delivered again.</strong>",
            "<dd>q0:1 was acknowledged at 3000 ms</dd>",
            "<dd>at 6000 ms it was handed out again, attempt 2</dd>",
            "<li>3000 ms: q0:1 is acknowledged with handle 1</li>",
            "data:image/svg+xml;base64,",
            "read README, rule 5",
            'replay("lab1c:1.13", ',
            "more failed; mend the first one first",
            "<table>",
        )
    ]
    assert places == sorted(places), "from what is broken to what to do, and all else behind it"
    numbers = [outcome.number for outcome in shown.grade.outcomes]
    assert numbers[-1] == [one.number for one in LAB1C.suite.checks if one.ring == 1][-1], "no ring is begun behind a failure"
    assert "expected:  q0:1 was acknowledged at 3000 ms" in repr(shown)


def test_a_replay_shows_one_case_and_what_happened_also_when_it_passes(wrong: Path, tmp_path: Path) -> None:
    told = replay("lab1c:1.13", wrong)._repr_html_()
    assert "1.13 fails" in told
    assert "Then run this cell again." in told
    write_all(tmp_path, solution_of(LAB1C))
    told = replay("lab1c:1.13", tmp_path)._repr_html_()
    assert "1.13 passes" in told
    assert "5999 ms: q0:2 is acknowledged with handle 1" in told
    assert "data:image/svg+xml;base64," in told


def test_what_it_shows_is_part_of_a_page_and_its_style_is_for_nothing_else() -> None:
    failure = Failure("It <breaks>", "a & b", "c", "README, rule 1", ("x < y",))
    grade = Grade("lab1c_delivery", "Delivery", "practice", (Outcome("1.1", "a test", 2, failure=failure, replay="lab1c:1.1"),))
    told = cell_of(grade)
    assert not re.search(r"<(html|head|body|title|!doctype)\b", told, re.IGNORECASE)
    (style,) = re.findall(r"<style>(.*?)</style>", told, re.DOTALL)
    selectors = [one.strip() for part in re.findall(r"([^{}]+)\{", style) for one in part.split(",")]
    assert len(selectors) > 8
    assert not [one for one in selectors if not one.startswith(".mq-lab")]
    assert "It &lt;breaks&gt;." in told
    assert "<li>x &lt; y</li>" in told


def test_a_method_that_is_not_written_yet_is_to_be_written() -> None:
    failure = Failure("`DeliveryTable.ack` is not written yet", section="README, method `DeliveryTable.ack`")
    outcomes = (Outcome("1.13", "a test", 2, failure=failure, replay="lab1c:1.13"),)
    assert "write it (README, method <code>DeliveryTable.ack</code>, has hints)." in cell_of(
        Grade("l", "t", "practice", outcomes)
    )
    assert "this cell for all tests" not in cell_of(Grade("l", "t", REPLAY, outcomes))


def test_the_page_of_a_check_tells_the_points_so_far_and_the_failure_first(
    wrong: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["lab", "check", "lab1c", str(wrong)]) == 1
    assert "34 of 100 points so far" in capfd.readouterr().out
    page = (tmp_path / "work" / "results" / "elsewhere" / LAB1C.id / "report.html").read_text(encoding="utf-8")
    assert "<h1>Delivery: 34 of 100 points so far</h1>" in page
    assert page.index("An acknowledged message is never delivered again") < page.index("<table>")
    assert page.count("<h2 id=") == 1, "the first failure alone is told"
    assert f"<code>mq lab check lab1c {wrong} --all</code> runs every test, and shows each failure here" in page
    result = json.loads((tmp_path / "work" / "results" / "elsewhere" / LAB1C.id / "result.json").read_text(encoding="utf-8"))
    assert (result["score"], result["reason"]) == (0, "one failure of a check"), "it is no mark"


def test_the_work_is_found_from_the_folder_of_any_notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("labs.grader.notebook.ROOT", tmp_path)
    (tmp_path / "lessons").mkdir()
    monkeypatch.chdir(tmp_path / "lessons")
    with pytest.raises(SubmissionError, match=r"there is no .*lab0_tools yet: mq lab start lab0"):
        check("lab0")
    write_all(tmp_path / "work" / LAB0.id, skeleton_of(LAB0))
    assert "`TicketMachine.tear_off` is not written yet" in repr(replay("lab0:1.1"))
