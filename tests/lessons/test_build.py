"""What the lesson builder finds and what it lets pass, tried on notebooks made by hand."""

import base64
import copy
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tools.build_lessons import check, main, make
from tools.lesson_compare import differences, pictures_equal
from tools.lesson_files import Lesson, lessons_of, read_notebook, read_source

SOURCE = """# %% [markdown]
# # A title

# %%
print("one")

# %% tags=["live"]
print("measured")
"""


def png(*dark: tuple[int, int]) -> str:
    """A white picture with some dark pixels, in base64."""
    pixels = np.full((200, 300, 3), 255, dtype=np.uint8)
    for row, column in dark:
        pixels[row, column] = 0
    stream = BytesIO()
    Image.fromarray(pixels).save(stream, format="PNG")
    return base64.b64encode(stream.getvalue()).decode()


def printed(text: str) -> dict[str, Any]:
    return {"output_type": "stream", "name": "stdout", "text": text}


def picture(data: str, words: str = "<Figure>") -> dict[str, Any]:
    return {"output_type": "display_data", "metadata": {}, "data": {"image/png": data, "text/plain": words}}


@pytest.fixture
def lesson(tmp_path: Path) -> Lesson:
    source = tmp_path / "stage1_x" / "01_title.py"
    source.parent.mkdir()
    source.write_text(SOURCE, encoding="utf-8")
    return Lesson(source)


def runner(*outputs: list[dict[str, Any]]) -> Any:
    """In place of a kernel: the outputs of the code cells, in order."""

    def run(lesson: Lesson) -> dict[str, Any]:
        notebook = read_source(lesson.source)
        code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
        for cell, said in zip(code, copy.deepcopy(outputs), strict=True):
            cell["outputs"], cell["execution_count"] = said, 1
        return notebook

    return run


ONE = [printed("one\n"), picture(png((5, 5)))]


def test_a_notebook_is_made_once_and_stays_the_same_bytes(lesson: Lesson) -> None:
    assert make(lesson, run=runner(ONE, [printed("12 ms\n")]))
    before = lesson.notebook.read_bytes()
    assert not make(lesson, run=runner(ONE, [printed("13 ms\n")])), "a measurement alone is no reason for a new notebook"
    assert lesson.notebook.read_bytes() == before
    assert make(lesson, run=runner(ONE, [printed("13 ms\n")]), is_fresh=True)
    assert "13 ms" in lesson.notebook.read_text(encoding="utf-8")


def test_what_was_made_is_what_is_committed(lesson: Lesson) -> None:
    run = runner(ONE, [printed("12 ms\n")])
    assert check(lesson, run=run) == ["stage1_x/01_title: there is no notebook of it"]
    make(lesson, run=run)
    assert check(lesson, run=run) == []
    assert check(lesson, run=runner(ONE, [printed("99 ms\n")])) == []


@pytest.mark.parametrize(
    ("said", "word"),
    [
        ([printed("two\n"), picture(png((5, 5)))], "it now says"),
        ([printed("one\n")], "it now says"),
        ([printed("one\n"), picture(png(*((5, column) for column in range(40))))], "it now says"),
        ([printed("one\n"), picture(png())], "nothing"),
        ([printed("<object at 0x7f3a5c001230>\n"), picture(png((5, 5)))], "another one each time"),
    ],
)
def test_other_outputs_are_found(lesson: Lesson, said: list[dict[str, Any]], word: str) -> None:
    make(lesson, run=runner(ONE, []))
    found = check(lesson, run=runner(said, []))
    assert any(word in sentence for sentence in found) == (word != "nothing"), found


def test_a_source_that_was_changed_without_building_is_found(lesson: Lesson) -> None:
    run = runner(ONE, [])
    make(lesson, run=run)
    lesson.source.write_text(SOURCE.replace('print("one")', 'print("uno")'), encoding="utf-8")
    assert any("cell 2" in sentence and "build it again" in sentence for sentence in check(lesson, run=run))
    lesson.source.write_text(SOURCE + "\n# %% [markdown]\n# More.\n", encoding="utf-8")
    assert any("4 cells" in sentence for sentence in check(lesson, run=run))


def test_a_live_cell_that_lost_its_tag_or_its_output_is_found(lesson: Lesson) -> None:
    run = runner(ONE, [printed("12 ms\n")])
    make(lesson, run=run)
    committed = read_notebook(lesson.notebook)
    assert committed is not None
    committed["cells"][2]["outputs"] = []
    assert differences(run(lesson), committed) == ["cell 3: the notebook has no output"]
    committed["cells"][2]["metadata"] = {}
    assert "not that of the source" in differences(run(lesson), committed)[0]


def test_of_a_live_listing_the_names_must_be_the_same_and_nothing_else(lesson: Lesson) -> None:
    lesson.source.write_text(SOURCE.replace('tags=["live"]', 'tags=["live", "first-words"]'), encoding="utf-8")
    before, other_size, other_name = (
        f"LOCK  4 bytes\n\n{text} bytes\n" for text in ("organs.json  153", "organs.json  217", "durable  16")
    )
    make(lesson, run=runner(ONE, [printed(before)]))
    assert check(lesson, run=runner(ONE, [printed(other_size)])) == []
    assert not make(lesson, run=runner(ONE, [printed(other_size)])), "a size alone is no reason for a new notebook"
    for stale in (other_name, before + "durable  16 bytes\n", "LOCK  4 bytes\n"):
        (sentence,) = check(lesson, run=runner(ONE, [printed(stale)]))
        assert "cell 3: it now says" in sentence
    assert make(lesson, run=runner(ONE, [printed(other_name)])), "it is built anew without being asked to"
    assert "durable" in lesson.notebook.read_text(encoding="utf-8")


def test_the_words_of_a_picture_are_compared_to_the_letter(lesson: Lesson) -> None:
    pixels = png((5, 5))
    make(lesson, run=runner([picture(pixels, "lab 3e membership")], []))
    assert check(lesson, run=runner([picture(pixels, "lab 3e membership")], [])) == []
    (sentence,) = check(lesson, run=runner([picture(pixels, "lab 3e write the test")], []))
    assert "cell 2: it now says\nlab 3e write the test" in sentence


def test_a_few_pixels_at_the_edge_of_a_line_are_no_difference() -> None:
    assert pictures_equal(png((5, 5)), png((5, 6)))
    assert not pictures_equal(png((5, 5)), png(*((7, column) for column in range(20))))


def test_lessons_are_found_in_reading_order(tmp_path: Path) -> None:
    for name in (
        "README.py",
        "showing.py",
        "stage1_b/01_b.py",
        "stage1_b/00_a.py",
        "stage0_a/00_z.py",
        "stage1_b/note.py",
        "_x/00_y.py",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [lesson.name for lesson in lessons_of(tmp_path)] == ["README", "stage0_a/00_z", "stage1_b/00_a", "stage1_b/01_b"]


def test_an_unknown_lesson_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["no_such_lesson"]) == 2
    assert "no lesson has no_such_lesson" in capsys.readouterr().err
