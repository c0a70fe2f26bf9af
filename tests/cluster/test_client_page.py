"""The examples of docs/client.md, run one after the other as they stand; what they print is what the page says."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from mq.core.message import MessageKind
from tests.cluster.two_groups import two_groups

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.xdist_group("registry")]

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"```python\n(.*?)```(?:\n\n```text\n(.*?)```)?", re.DOTALL)


def test_the_examples_of_the_clients_page_do_what_it_says(tmp_path: Path) -> None:
    blocks = BLOCK.findall((ROOT / "docs" / "client.md").read_text())
    assert len(blocks) == 6
    with two_groups(tmp_path) as place:
        for name, kind in (("orders", MessageKind.NORMAL), ("steps", MessageKind.FIFO), ("reminders", MessageKind.DELAY)):
            place.admin.create_topic(name, kind=kind)
        place.admin.create_group("kitchen", is_fifo=True)
        registry = place.endpoint.split(",")[0]
        for code, output in blocks:
            command = [sys.executable, "-c", code.replace("127.0.0.1:9876", registry)]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=90, check=False)
            assert (done.returncode, done.stdout, done.stderr) == (0, output, ""), code
