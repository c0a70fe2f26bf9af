"""Errors that say what to do: a notebook shows their sentence, and no way through our code."""

__all__ = ["ToldError"]


class ToldError(Exception):
    """The message is all that helps."""

    def _render_traceback_(self) -> list[str]:
        """Called by IPython, in the place of a traceback."""
        return [f"{type(self).__name__}: {self}"]
