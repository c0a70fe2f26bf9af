"""Receipt handles as clients carry them: in front stands which broker group made it, as several can have one topic."""

__all__ = ["broker_of_handle", "marked_handle", "own_handle"]

_SEPARATOR = "/"
"""Neither a broker group's name nor any part of a handle has it."""


def marked_handle(broker: str, text: str) -> str:
    """A handle for clients."""
    return f"{broker}{_SEPARATOR}{text}"


def own_handle(broker: str, text: str) -> str:
    """The handle itself, when this broker group made it; else empty, which no broker takes for one of its own."""
    made_here = broker + _SEPARATOR
    return text.removeprefix(made_here) if text.startswith(made_here) else ""


def broker_of_handle(text: str) -> str:
    """Who made it; empty for what is no handle of ours."""
    broker, separator, _ = text.partition(_SEPARATOR)
    return broker if separator else ""
