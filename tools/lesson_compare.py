"""Whether an executed notebook says what the committed one says.

Text must be equal to the letter. Of two pictures a few pixels may differ: another processor rounds the edge of a line
differently, and nobody sees it. Of a live cell nothing is compared, or the first word of each line.
"""

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from typing import Any

__all__ = ["cells_equal", "differences", "is_live", "outputs_equal", "pictures_equal"]

_LEVELS_MAX = 32
_SHARE_MAX = 1 / 10_000
_OF_ONE_RUN = re.compile(r" at 0x[0-9a-f]{6,}|/tmp/|/home/|/Users/|[A-Z]:\\")
"""What no other run could say again: an address in memory, a place on one machine."""


def is_live(cell: Mapping[str, Any]) -> bool:
    """Whether the cell's outputs may be others each time."""
    return "live" in cell.get("metadata", {}).get("tags", ())


def first_words(cell: Mapping[str, Any]) -> list[str]:
    """Of a live cell what must be the same each time: the first word of each line, when it is tagged `first-words`."""
    if "first-words" not in cell.get("metadata", {}).get("tags", ()):
        return []
    return [line.split(maxsplit=1)[0] for line in text_of(cell["outputs"]).splitlines() if line.strip()]


def cells_equal(made: Mapping[str, Any], committed: Mapping[str, Any]) -> bool:
    """Whether two cells of code with the same source say the same, as far as it is compared."""
    if is_live(made):
        return first_words(made) == first_words(committed)
    return outputs_equal(made["outputs"], committed["outputs"])


def pictures_equal(made: str, committed: str) -> bool:
    """Whether two PNGs, in base64, show the same."""
    if made.strip() == committed.strip():
        return True
    import numpy as np  # noqa: PLC0415 - only where bytes differ
    from PIL import Image  # noqa: PLC0415

    one, other = (np.asarray(Image.open(BytesIO(base64.b64decode(png))).convert("RGB"), dtype=int) for png in (made, committed))
    if one.shape != other.shape:
        return False
    changed = (abs(one - other) > _LEVELS_MAX).any(axis=2)
    return bool(changed.mean() <= _SHARE_MAX)


def outputs_equal(made: Sequence[Mapping[str, Any]], committed: Sequence[Mapping[str, Any]]) -> bool:
    """Whether two cells' outputs say the same."""
    return len(made) == len(committed) and all(map(_output_equal, made, committed))


def _output_equal(made: Mapping[str, Any], committed: Mapping[str, Any]) -> bool:
    keys = ("output_type", "name", "text", "ename", "evalue")
    if any(made.get(key) != committed.get(key) for key in keys):
        return False
    data, other = made.get("data", {}), committed.get("data", {})
    if set(data) != set(other):
        return False
    return all(pictures_equal(data[kind], other[kind]) if kind == "image/png" else data[kind] == other[kind] for kind in data)


def differences(made: Mapping[str, Any], committed: Mapping[str, Any]) -> list[str]:
    """One sentence for each cell that differs; nothing when the committed notebook is what its source makes."""
    return list(_differences(made["cells"], committed["cells"]))


def _differences(made: Sequence[Mapping[str, Any]], committed: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if len(made) != len(committed):
        yield f"the source has {len(made)} cells and the notebook {len(committed)}: build it again"
        return
    for number, (cell, other) in enumerate(zip(made, committed, strict=True), 1):
        where = f"cell {number}"
        if (cell["source"], cell["cell_type"], is_live(cell)) != (other["source"], other["cell_type"], is_live(other)):
            yield f"{where}: the notebook's cell is not that of the source: build it again"
        elif cell["cell_type"] == "code":
            yield from _differences_of_outputs(where, cell, other)


def _differences_of_outputs(where: str, made: Mapping[str, Any], committed: Mapping[str, Any]) -> Iterator[str]:
    if not committed.get("outputs") and made["outputs"]:
        yield f"{where}: the notebook has no output"
        return
    text = text_of(made["outputs"])
    if not is_live(made) and (found := _OF_ONE_RUN.search(text)):
        yield f"{where}: it says {found[0]!r}, which is another one each time"
    if not cells_equal(made, committed):
        yield f"{where}: it now says\n{text[:2000]}\n... and the notebook says\n{text_of(committed['outputs'])[:2000]}"


def text_of(outputs: Sequence[Mapping[str, Any]]) -> str:
    """What outputs say in words; "(a picture)" for a picture."""
    lines = []
    for output in outputs:
        data = output.get("data", {})
        lines.append(output.get("text") or data.get("text/markdown") or data.get("text/plain") or output.get("evalue", ""))
        if "image/png" in data:
            lines.append("(a picture)")
    return "\n".join(lines)
