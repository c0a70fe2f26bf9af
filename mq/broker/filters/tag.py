"""Tag filters: `*` for everything, or tags joined by `||`.

Whether a message is wanted is first judged by its tag code, a number that stands in the consume queue, so
that most unwanted messages are never read; then by comparing the tags themselves, because two tags may share
a code. RocketMQ does the same with Java's string hash (`Aa` and `BB` share that one).
"""

import zlib

from mq.core.errors import Code, RefusedError
from mq.core.limits import FILTER_EXPRESSION_BYTES_MAX

__all__ = ["EVERYTHING", "MIXED_TAGS", "parse_tags", "tag_code"]

EVERYTHING = "*"
MIXED_TAGS = 0xFFFF_FFFF
"""Stands in the consume queue for a batch whose messages have different tags; no tag has this code."""


def parse_tags(expression: str) -> frozenset[str] | None:
    """The tags that an expression names, or None for everything.

    White space around tags does not count, nor do empty places between bars (`a ||` is `a`). Only the whole
    expression `*` means everything; among others `*` is a tag of that name.
    Raises: RefusedError (ILLEGAL_FILTER_EXPRESSION) when no tag is named, or one that no message can have.
    RocketMQ: FilterAPI.buildSubscriptionData.
    """
    if expression.strip() == EVERYTHING:
        return None
    if len(expression.encode()) > FILTER_EXPRESSION_BYTES_MAX:
        raise RefusedError(
            Code.ILLEGAL_FILTER_EXPRESSION, f"filter expression has more than {FILTER_EXPRESSION_BYTES_MAX} bytes in UTF-8"
        )
    tags = frozenset(filter(None, map(str.strip, expression.split("||"))))
    if not tags:
        raise RefusedError(
            Code.ILLEGAL_FILTER_EXPRESSION, f"filter expression {expression[:80]!r} names no tag: write `*`, `a` or `a || b`"
        )
    for tag in tags:
        if "|" in tag:
            raise RefusedError(
                Code.ILLEGAL_FILTER_EXPRESSION,
                f"filter expression has the tag {tag[:80]!r}, and no tag contains `|`: alternatives are joined by `||`",
            )
    return tags


def tag_code(tag: str | None) -> int:
    """A stable number from 1 to 2**32 - 2 for a tag, 0 for no tag (None or empty). Different tags may share one."""
    return min(zlib.crc32(tag.encode()) or 1, MIXED_TAGS - 1) if tag else 0
