"""The lesson on one's own cluster, whole, in containers: with the one line changed that chooses them."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from mq.cluster.docker_engine import engine
from mq.cluster.docker_plan import CLUSTER_LABEL
from tools.lesson_files import LESSONS, read_notebook

ROOT = LESSONS.parent
EXECUTE = """
import sys
from pathlib import Path
from tools.build_lessons import execute
from tools.lesson_files import Lesson, write_notebook
lesson = Lesson(Path(sys.argv[1]))
write_notebook(lesson.notebook, execute(lesson))
"""


@pytest.mark.night
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_lesson_comes_to_its_end_in_containers_and_leaves_none(image: str, tmp_path: Path) -> None:
    source = (LESSONS / "stage3_raft" / "16_your_cluster.py").read_text(encoding="utf-8")
    changed = source.replace('RUNS_IN = "processes"', 'RUNS_IN = "docker"')
    assert changed != source
    file = tmp_path / "16_your_cluster.py"
    file.write_text(changed, encoding="utf-8")
    done = subprocess.run([sys.executable, "-c", EXECUTE, str(file)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    notebook = read_notebook(file.with_suffix(".ipynb"))
    assert notebook is not None
    said = "".join(output.get("text", "") for cell in notebook["cells"] for output in cell.get("outputs", ()))
    assert f"image {image}" in said
    assert said.count("acknowledged, and not in the queues: 0") == said.count("orders acknowledged") == 4
    assert "every promise was kept" in said
    assert said.count("leads_without_quorum.Raft, called") == 3
    assert "it may be lost yet" in said, "brokers stop a Raft that commits what one of them has"
    assert "all is ended" in said
    name = re.search(r"container raftmq-(\w+)-broker-a-1", said)
    assert name is not None
    mine: dict[str, str | list[str] | bool] = {"label": f"{CLUSTER_LABEL}={name[1]}"}
    assert engine().containers.list(all=True, filters=mine) == []
    assert engine().volumes.list(filters=mine) == []
    assert engine().networks.list(filters=mine) == []
