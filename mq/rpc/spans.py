"""Spans of time as the protocol writes them, and how long a poll may take."""

from google.protobuf.duration_pb2 import Duration

__all__ = ["POLL_MARGIN_S", "span"]

POLL_MARGIN_S = 5.0
"""A poll may take so much longer than it waits for messages."""


def span(span_ms: int) -> Duration:
    """So many ms."""
    return Duration(seconds=span_ms // 1000, nanos=span_ms % 1000 * 1_000_000)
