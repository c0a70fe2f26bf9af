"""Every lesson is executed, and says what its committed notebook says."""

import base64
import re
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lessons import bakery
from tools.lesson_files import LESSONS, Lesson, lessons_of, read_notebook

ROOT = LESSONS.parent
ALL = lessons_of(LESSONS)
TAUGHT = [lesson for lesson in ALL if lesson.name != "README"]


def named(lesson: Lesson) -> str:
    return lesson.name


def texts_of(lesson: Lesson) -> str:
    notebook = read_notebook(lesson.notebook)
    assert notebook is not None
    return "\n".join(cell["source"] for cell in notebook["cells"] if cell["cell_type"] == "markdown")


def pictures_of(lesson: Lesson) -> list[bytes]:
    notebook = read_notebook(lesson.notebook)
    assert notebook is not None
    outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", ())]
    return [base64.b64decode(output["data"]["image/png"]) for output in outputs if "image/png" in output.get("data", {})]


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("lesson", ALL, ids=named)
def test_a_lesson_comes_to_its_end_and_says_what_is_committed(lesson: Lesson) -> None:
    command = [sys.executable, "-m", "tools.build_lessons", "--check", lesson.name]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=880)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]


@pytest.mark.parametrize("lesson", TAUGHT, ids=named)
def test_a_lesson_asks_shows_and_leads_on(lesson: Lesson) -> None:
    texts = texts_of(lesson)
    assert re.match(r"# \d+ · ", texts), "it begins with its number and title"
    assert texts.count("**Predict:**") >= 3
    assert "**Change this one line" in texts
    assert "## Claims to defend" in texts
    assert re.search(r"\*\*Time:\*\* \d+ to \d+ minutes", texts)
    assert re.search(r"[Ll]ab \d[a-z]|lab0", texts), "it leads into a lab"
    assert len(pictures_of(lesson)) >= 3


@pytest.mark.parametrize("lesson", ALL, ids=named)
def test_pictures_are_of_a_notebooks_width_and_not_empty(lesson: Lesson) -> None:
    for data in pictures_of(lesson):
        picture = Image.open(BytesIO(data))
        assert 700 <= picture.width <= 1100, "wider is shrunk until nobody can read it"
        assert len(np.unique(np.asarray(picture.convert("RGB")).reshape(-1, 3), axis=0)) > 10, "there is nothing on it"


def test_a_baker_who_reads_his_mood_while_it_changes_finds_a_number(tmp_path: Path) -> None:
    bakery.set_mood(tmp_path, 10)

    def read() -> Counter[int]:
        return Counter(int((tmp_path / "mood").read_text()) for _ in range(2000))

    found: Counter[int] = Counter()
    with ThreadPoolExecutor() as pool:
        while not {10, 150} <= set(found):
            reading = pool.submit(read)
            while not reading.done():
                for mood in (10, 150):
                    bakery.set_mood(tmp_path, mood)
            found += reading.result()
    assert set(found) <= {10, 150, 50, 110}, "digits of both, at most"


def test_what_the_sources_name_in_the_repository_is_there() -> None:
    named_files = {
        word for lesson in TAUGHT for word in re.findall(r"`((?:mq|labs|tests|docs|tools)/[\w/.]+)`", texts_of(lesson))
    }
    assert named_files
    assert [word for word in sorted(named_files) if not (ROOT / word).exists()] == []
