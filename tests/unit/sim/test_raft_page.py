"""What `mq/raft/README.md` shows of a Raft alone is run from the page, with nothing but Python."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "mq" / "raft" / "README.md").read_text(encoding="utf-8")


def test_three_nodes_elect_one_and_commit_as_the_page_says() -> None:
    blocks = re.findall(r"```python\n(.+?)```", PAGE, re.DOTALL)
    assert [block.split("(")[0].split()[-1] for block in blocks[:1]] == ["carry_out"]
    said = re.findall(r"^# (node \d leads .+)$", blocks[1], re.MULTILINE)
    command = [sys.executable, "-S", "-c", "\n".join(blocks)]  # -S: no package is found
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.stdout.splitlines(), done.stderr) == (said, "")
