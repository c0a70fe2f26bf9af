"""The page of a run: what was done, the orders over time, the election, and where all of it lies."""

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path

from labs.grader.page import marked, table_of
from labs.grader.result import Grade, Outcome
from labs.stage3_raft.lab3f_drive_it.picture import Orders
from labs.stage3_raft.lab3f_drive_it.seen import Seen

__all__ = ["PAGE", "write_page"]

PAGE = "story.html"
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1d2a35; max-width: 64rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; } img { max-width: 100%; border: 1px solid #d5dbe1; }
table { border-collapse: collapse; width: 100%; }
td, th { text-align: left; padding: .25rem .6rem; border-bottom: 1px solid #d5dbe1; }
td.points { text-align: right; white-space: nowrap; } tr.failed td:first-child { color: #b3261e; font-weight: 600; }
tr.passed td:first-child { color: #1b6e3c; } .mode { color: #5a6874; }
pre { background: #f3f5f7; padding: .8rem; overflow-x: auto; }
"""


def write_page(seen: Seen, outcomes: Sequence[Outcome], mode: str, election: Path | None, figures: Sequence[str] = ()) -> Path:
    """Into the run's folder; nothing on it needs another file."""
    points, points_max = sum(one.points for one in outcomes), sum(one.points_max for one in outcomes)
    grade = Grade("lab3f_drive_it", "Drive it", mode, tuple(outcomes), reason="", points_max=points_max)
    story = "".join(f"<li>{marked(line)}</li>" for line in seen.told)
    failed = "".join(f"<p><strong>{one.number}</strong> {marked(one.message)}</p>" for one in outcomes if not one.is_passed)
    svg = Orders(seen).svg()
    orders = f"<h2>The orders</h2>{_image('svg+xml', svg.encode(), 'orders over time')}" if svg else ""
    drawn = ""
    if election is not None and election.exists():
        text = "From the nodes' traces: the leader dies, the others notice it, one asks for votes and leads."
        drawn = f'<h2>The election</h2><p class="mode">{text}</p>{_image("png", election.read_bytes(), "the election")}'
    told = f"<h2>Figures</h2><pre>{escape(chr(10).join(figures))}</pre>" if figures else ""
    page = seen.folder / PAGE
    page.write_text(
        f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Drive it: {points} of {points_max} points</title>
<style>{_STYLE}</style></head><body>
<h1>Your Raft at work: {points} of {points_max} points</h1>
<p class="mode">{escape(mode)}{escape("; nodes in " + seen.runs_in) if seen.runs_in else ""}</p>
{table_of(grade, is_linked=False)}{failed}
<h2>What was done</h2><ol>{story}</ol>{orders}{drawn}{told}
<p class="mode">logs: {escape(str(seen.logs))}<br>traces: {escape(str(seen.traces))}</p>
</body></html>
""",
        encoding="utf-8", errors="replace",
    )  # fmt: skip
    return page


def _image(kind: str, data: bytes, about: str) -> str:
    return f'<img alt="{escape(about)}" src="data:image/{kind};base64,{base64.b64encode(data).decode()}">'
