"""Colours of the drawing, told apart by people who see no red or no green as well; no meaning hangs on colour alone.

Roles: the colours of Okabe and Ito, each with its width of the rail and its word. Terms: the light scheme of Paul Tol,
always with the term's number in the cell.
"""

__all__ = [
    "BEGUN", "CLIENT", "COMMITTED", "EDGE", "ENDED", "FAINT", "FAULT", "GROUND", "LATE", "PAPER", "SUPERSEDED", "TEXT",
    "role_colours", "term_colour",
]  # fmt: skip

TEXT, FAINT, EDGE, GROUND, PAPER = "#1d2a35", "#66737f", "#c3ccd5", "#ffffff", "#f4f6f8"
FAULT, SUPERSEDED, COMMITTED, CLIENT, LATE = "#b3261e", "#b3261e", "#1d2a35", "#00664f", "#7a4d00"
BEGUN, ENDED = ("#fdeceb", "#e7b4b0", FAULT), ("#e6f4ef", "#a9d3c3", CLIENT)
"""Banners of what befalls the network, and of its end: ground, edge, words."""

_ROLES = {
    # role: (colour, colour of words on it, width of the rail)
    "leader": ("#0072b2", "#ffffff", 12.0),
    "candidate": ("#e69f00", "#1d2a35", 10.0),
    "pre-candidate": ("#f0e442", "#1d2a35", 8.0),
    "follower": ("#aab4be", "#1d2a35", 6.0),
    "mute": ("#cc79a7", "#1d2a35", 6.0),
    "down": ("#ffffff", "#b3261e", 0.0),
}

_TERMS = ("#d5dae0", "#99ddff", "#eedd88", "#ffaabb", "#bbcc33", "#77aadd", "#ee8866", "#44bb99", "#dddd77")


def role_colours(role: str) -> tuple[str, str, float]:
    """Of a role: its colour, the colour of words on it, and how wide a rail it has."""
    return _ROLES[role]


def term_colour(term: int) -> str:
    """Of an entry's cell; the colours come round again after eight terms."""
    return _TERMS[0] if term <= 0 else _TERMS[1 + (term - 1) % (len(_TERMS) - 1)]
