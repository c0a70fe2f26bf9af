"""What the syllabus says that a part of a lab is worth, by which a teacher divides, is what such a part gets."""

import re

from labs.grader.grading import grade_of
from labs.grader.seeds import Seeds
from labs.grader.skeleton import solution_of, written_up_to
from labs.grader.submission import Submission
from tests.labs.helpers import LAB1A, ROOT


def test_the_short_course_divides_by_what_its_part_of_lab_1a_gets() -> None:
    text = (ROOT / "docs" / "syllabus.md").read_text(encoding="utf-8")
    (last,) = re.findall(r"1a, its methods 1 to (\d+)", text)
    files = {**written_up_to(LAB1A, int(last)), "kills.txt": solution_of(LAB1A)["kills.txt"]}
    submission = Submission({name: source.encode() for name, source in files.items() if name != "__init__.py"})
    grade = grade_of(LAB1A, submission, Seeds(b"course", submission.mark))
    of_ring = {ring: sum(one.points for one in grade.outcomes if one.number.startswith(f"{ring}.")) for ring in "124"}
    got, own = grade.score, of_ring["4"]
    missed = [one.number for one in grade.outcomes if not one.is_passed and one.number.startswith("1.")]
    assert [one.number for one in grade.outcomes if one.is_passed and one.number.startswith("2.")] == ["2.1"]
    assert sum(of_ring.values()) == got, "the searches give nothing"
    assert (
        f"**1a counts {got} here, not 100.** Who writes the methods 1 to {last} and no more gets {of_ring['1']} points for"
        f" sentences (all but {', '.join(missed)}), {of_ring['2']} for schedule 2.1 and {own} for"
        f' "write the test": {got} of {grade.max_score}, and {got - own} without "write the test".'
    ) in text
    assert f"by {got} (by {got - own})" in text
