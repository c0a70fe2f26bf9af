"""Who of a class wrote alike, in Python and in texts: found in what was handed in, and shown with the lines."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from labs.grader.alike_texts import Line, TextPair, text_pairs, text_print, vocabulary_of
from labs.grader.class_run import ClassRun, Entry, read_entry
from labs.grader.lab import Lab, has_reference, is_for_students
from labs.grader.similarity import Pair, Spot, pairs_of, print_of
from labs.grader.skeleton import solution_of
from labs.grader.submission import Submission

__all__ = ["REFERENCE", "Alike", "alike_part", "alike_rows", "look_alike"]

REFERENCE = "(the reference)"
_PAIRS_SHOWN = 30
_ABOUT_PAIRS = (
    "Pairs that share more than the skeleton, the hints and what a third of the class has. "
    "It is a reason to look at the lines, and no proof of anything."
)
_EXCERPTS_SHOWN = 6
_EXCERPT_LINES = 14
_TEXT_LINES_SHOWN = 40
_NAMED = 3


@dataclass(frozen=True, slots=True)
class Alike:
    """code: pairs by their Python files; texts: by what else was handed in, such as schedules or answers."""

    code: Sequence[Pair]
    texts: Sequence[TextPair]

    def of(self, name: str) -> str:
        """With whom a submission shares how much, in a cell of a table."""
        found = [(pair.share, _other(pair, name), "") for pair in self.code if name in (pair.one, pair.other)]
        found += [(pair.share, _other(pair, name), " of its texts") for pair in self.texts if name in (pair.one, pair.other)]
        named = [f"{other} {share:.0%}{what}" for share, other, what in sorted(found, key=lambda one: (-one[0], one[1:]))]
        more = f", and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
        return ", ".join(named[:_NAMED]) + more

    def __len__(self) -> int:
        """Pairs of names."""
        pairs: list[Pair | TextPair] = [*self.code, *self.texts]
        return len({(pair.one, pair.other) for pair in pairs})


def _other(pair: Pair | TextPair, name: str) -> str:
    return pair.other if pair.one == name else pair.one


def look_alike(run: ClassRun, entries: Iterable[Entry]) -> Alike:
    """Pairs among the submissions, and of them with the reference."""
    lab, handed_in = run.lab, dict[str, Submission]()
    for entry in entries:
        if (submission := _read(entry, lab)) is not None:
            handed_in[entry.name] = submission
    if has_reference() and not is_for_students():
        handed_in[REFERENCE] = Submission({name: text.encode() for name, text in solution_of(lab).items()})
    return Alike(_alike_code(lab, handed_in), _alike_texts(lab, handed_in))


def _read(entry: Entry, lab: Lab) -> Submission | None:
    """What can be read; why it cannot is in the table."""
    try:
        return read_entry(entry, lab)
    except Exception:  # noqa: BLE001 - whatever is wrong with one, the others are compared
        return None


def _alike_code(lab: Lab, handed_in: Mapping[str, Submission]) -> list[Pair]:
    prints = [print_of(name, submission.files) for name, submission in handed_in.items()]
    skeleton = {file.name: file.read_bytes() for file in (lab.folder / "skeleton").glob("*.py")}
    hints = {"hints.py": _hints((lab.folder / "README.md").read_text(encoding="utf-8")).encode()}
    return pairs_of(prints, (print_of("the skeleton", skeleton), print_of("the hints", hints)), (REFERENCE,))


def _hints(readme: str) -> str:
    """The code in a README: what stands between fences."""
    return "\n".join(part.partition("\n")[2] for part in readme.split("```")[1::2])


def _alike_texts(lab: Lab, handed_in: Mapping[str, Submission]) -> list[TextPair]:
    skeleton = {name: (lab.folder / "skeleton" / name).read_text(encoding="utf-8") for name in lab.texts}
    readme = (lab.folder / "README.md").read_text(encoding="utf-8")
    vocabulary = vocabulary_of(skeleton.values())
    prints = [text_print(name, submission.texts, vocabulary) for name, submission in handed_in.items()]
    reference = handed_in[REFERENCE].texts if REFERENCE in handed_in else {}
    answers = {name: text for name, text in reference.items() if name.endswith(".toml")}
    given = [text_print(name, texts) for name, texts in (
        ("the skeleton", skeleton), ("the README", dict.fromkeys(lab.texts, readme)), ("right answers", answers),
    )]  # fmt: skip
    return text_pairs(prints, given, (REFERENCE,))


# --- for spreadsheets


def alike_rows(found: Alike) -> list[Sequence[object]]:
    """A heading, and a row for each pair."""
    rows: list[Sequence[object]] = [["one", "other", "shared", "share", "lines", "of"]]
    for pair in found.code:
        where = "; ".join(f"{_where(here)} = {_where(there)}" for here, there in pair.lines)
        rows.append([pair.one, pair.other, pair.shared, f"{pair.share:.2f}", where, "code"])
    for text in found.texts:
        where = "; ".join(f"{_line(here)} = {_line(there)}" for here, there in text.lines)
        rows.append([text.one, text.other, len(text.lines), f"{text.share:.2f}", where, "texts"])
    return rows


def _where(spot: Spot) -> str:
    return f"{spot.file}:{spot.first}-{spot.last}"


def _line(line: Line) -> str:
    return f"{line.file}:{line.number}"


# --- for people


def alike_part(run: ClassRun, found: Alike, entries: Sequence[Entry]) -> str:
    """Of the class's page."""
    texts = ""
    if run.lab.texts:
        pairs = "".join(map(_text_pair, found.texts[:_PAIRS_SHOWN])) or "<p>None.</p>"
        texts = f"<h2>Alike in {escape(' and '.join(run.lab.texts))}</h2>{pairs}{_left(len(found.texts))}"
    return f'<h2>Alike</h2>\n<p class="quiet">{_ABOUT_PAIRS}</p>\n{_code_pairs(run, found.code, entries)}\n{texts}'


def _left(count: int) -> str:
    return f"<p>{count - _PAIRS_SHOWN} more are in similarity.csv.</p>" if count > _PAIRS_SHOWN else ""


def _text_pair(pair: TextPair) -> str:
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for line in both for cell in (_line(line), line.text)) + "</tr>"
        for both in pair.lines[:_TEXT_LINES_SHOWN]
    )
    head = f"{pair.one} and {pair.other}: {pair.share:.0%} of what is their own, {len(pair.lines)} line(s)"
    return f"<details><summary>{escape(head)}</summary><table>{rows}</table></details>"


def _code_pairs(run: ClassRun, pairs: Sequence[Pair], entries: Sequence[Entry]) -> str:
    if not pairs:
        return "<p>None.</p>"
    places = {entry.name: entry for entry in entries}
    return "".join(_pair(run, pair, places) for pair in pairs[:_PAIRS_SHOWN]) + _left(len(pairs))


def _pair(run: ClassRun, pair: Pair, places: dict[str, Entry]) -> str:
    longest = sorted(pair.lines, key=lambda both: both[0].first - both[0].last)[:_EXCERPTS_SHOWN]
    one, other = _sources(run, pair.one, places), _sources(run, pair.other, places)
    parts = [
        f'<div class="two"><div>{_excerpt(one, here)}</div><div>{_excerpt(other, there)}</div></div>' for here, there in longest
    ]
    left = len(pair.lines) - len(longest)
    more = f"<p>{left} more places are in similarity.csv.</p>" if left > 0 else ""
    head = f"{pair.one} and {pair.other}: {pair.share:.0%} of what is their own, in {len(pair.lines)} place(s)"
    return f"<details><summary>{escape(head)}</summary>{''.join(parts)}{more}</details>"


def _sources(run: ClassRun, name: str, places: dict[str, Entry]) -> dict[str, str]:
    if name == REFERENCE:
        return solution_of(run.lab)
    submission = _read(places[name], run.lab) if name in places else None
    return {file: data.decode("utf-8", "replace") for file, data in submission.files.items()} if submission is not None else {}


def _excerpt(sources: dict[str, str], spot: Spot) -> str:
    lines = sources.get(spot.file, "").split("\n")[spot.first - 1 : spot.last]
    shown = "\n".join(f"{number:>4}  {line}" for number, line in enumerate(lines[:_EXCERPT_LINES], spot.first))
    more = f"\n      ... to line {spot.last}" if len(lines) > _EXCERPT_LINES else ""
    return f'<div class="quiet">{escape(_where(spot))}</div><pre>{escape(shown + more)}</pre>'
