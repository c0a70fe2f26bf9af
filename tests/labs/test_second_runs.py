"""What a run asked is asked again in other processes; and what those begin with."""

import marshal
from importlib.util import MAGIC_NUMBER

from labs.grader.box import ROOT, Box
from labs.grader.boxed import files_for
from labs.grader.compiled import place_of
from labs.grader.grading import in_a_process
from labs.grader.lab import Lab, find_lab
from labs.grader.process import WorkerProcess
from labs.grader.remote import Answered, RemoteMaker, opening_of
from labs.grader.running import Runner
from labs.grader.seeds import Seeds
from labs.grader.skeleton import given_hollow, solution_of
from labs.grader.submission import Submission
from labs.grader.suite import Run
from tests.labs.helpers import LAB1A

LAB3B = find_lab("lab3b")
_HEAD_BYTES = 16


def submission_of(lab: Lab) -> Submission:
    """The reference, as it is handed in."""
    return Submission({name: text.encode() for name, text in solution_of(lab).items() if name != "__init__.py"})


def test_what_was_asked_is_answered_again_in_another_process_and_in_the_same_order() -> None:
    lab, mine = LAB1A, submission_of(LAB1A)
    check = lab.suite.check("2.1")
    assert check is not None
    case = check.cases(Seeds())[0]
    start, workers = in_a_process(), list[WorkerProcess]()
    with Box(lab.id, mine, files_for(lab)) as box:
        try:
            workers += [start(box, opening_of(lab.seam, lab.id)) for _ in range(4)]
            first, second = RemoteMaker(lab.seam, *workers[:2]), RemoteMaker(lab.seam, *workers[2:])
            first.begin()
            case.play(first.make, case.steps, Run())
            assert len(first.asked) == len(first.record) > 20
            assert {number for number, _ in first.asked} == {0, 1}
            again = [Answered.of(one.name, said) for one, said in zip(first.record, second.repeated(first.asked), strict=True)]
            assert again == first.record
        finally:
            for worker in workers:
                worker.end()


def test_a_right_one_says_the_same_in_the_processes_that_are_there_and_in_fresh_ones() -> None:
    """How it is told when it does not: `test_same_answers.py`."""
    mine = submission_of(LAB3B)
    check = LAB3B.suite.check("2.1")
    assert check is not None
    with Runner(LAB3B, mine, Seeds(b"tests", mine.mark), in_a_process()) as runner:
        case = check.cases(runner.seeds)[0]
        for _ in range(2):
            tried = runner.replayed(case)
            assert tried.failure is None
            assert tried.record
            assert runner.differs(case, tried) is None
        other = tried._replace(record=[*tried.record[:9], tried.record[9]._replace(fingerprint=b""), *tried.record[10:]])
        differing = runner.differs(case, other)
        assert differing is not None
        assert "not deterministic at event 10, `" in differing.found


def test_what_lies_compiled_in_a_box_is_of_what_lies_there_and_tells_no_place_of_this_machine() -> None:
    hollow = given_hollow(LAB3B)
    with Box(LAB3B.id, submission_of(LAB3B), files_for(LAB3B), hollow) as box:
        for file in files_for(LAB3B):
            data = (box.folder / place_of(file)).read_bytes()
            assert data.startswith(MAGIC_NUMBER)
            code = marshal.loads(data[_HEAD_BYTES:])
            wanted = compile((box.folder / file).read_text(encoding="utf-8"), file, "exec", dont_inherit=True)
            assert code == wanted, file
            assert str(ROOT).encode() not in data
    assert hollow
