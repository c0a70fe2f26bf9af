"""Tag filter expressions and tag codes."""

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mq.broker.filters.tag import MIXED_TAGS, parse_tags, tag_code
from mq.core.errors import Code, RefusedError
from mq.core.limits import FILTER_EXPRESSION_BYTES_MAX

TAGS = st.text(st.characters(exclude_characters="|", exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"]), min_size=1, max_size=12)
SPACES = st.sampled_from(["", " ", "  ", "\t"])


@pytest.mark.parametrize("expression", ["*", " *", "*  "])
def test_a_star_alone_is_everything(expression: str) -> None:
    assert parse_tags(expression) is None


@pytest.mark.parametrize(
    ("expression", "tags"),
    [
        ("a", {"a"}),
        ("a || b", {"a", "b"}),
        ("a||b||a", {"a", "b"}),
        (" a  ||b ", {"a", "b"}),
        ("a ||", {"a"}),
        ("|| a || || b", {"a", "b"}),
        ("new order || x", {"new order", "x"}),
        ("* || a", {"*", "a"}),
    ],
)
def test_bars_join_alternatives(expression: str, tags: set[str]) -> None:
    assert parse_tags(expression) == frozenset(tags)


@pytest.mark.parametrize("expression", ["", " ", "||", " || ", "||||", "a | b", "a|b", "a ||| b", "|"])
def test_an_expression_that_names_no_possible_tag_is_refused(expression: str) -> None:
    with pytest.raises(RefusedError) as refused:
        parse_tags(expression)
    assert refused.value.code == Code.ILLEGAL_FILTER_EXPRESSION
    assert "filter expression" in str(refused.value)


def test_an_expression_may_be_as_long_as_the_limit_and_no_longer() -> None:
    assert parse_tags("é" * (FILTER_EXPRESSION_BYTES_MAX // 2)) is not None
    with pytest.raises(RefusedError, match=str(FILTER_EXPRESSION_BYTES_MAX)):
        parse_tags("é" * (FILTER_EXPRESSION_BYTES_MAX // 2) + "x")


@given(st.lists(st.tuples(SPACES, TAGS, SPACES), min_size=1, max_size=6))
def test_every_joined_tag_is_found_again(parts: list[tuple[str, str, str]]) -> None:
    tags = {tag for _, tag, _ in parts}
    expected = None if tags == {"*"} and len(parts) == 1 else tags
    assert parse_tags("||".join(before + tag + after for before, tag, after in parts)) == expected


@given(st.text(max_size=40))
def test_any_text_is_refused_or_becomes_tags_that_messages_can_have(expression: str) -> None:
    try:
        tags = parse_tags(expression)
    except RefusedError:
        return
    assert tags is None or (tags and all(tag.strip() == tag and tag and "|" not in tag for tag in tags))


def test_tag_codes_are_stable_numbers() -> None:
    assert [tag_code(tag) for tag in ("TagA", "TagB", "Aa", "BB")] == [0x07596A98, 0x9E503B22, 0x920E3D75, 0x1B441FC4]


def test_no_tag_has_code_zero() -> None:
    assert tag_code(None) == tag_code("") == 0


def test_a_tag_whose_checksum_is_zero_gets_code_one() -> None:
    assert zlib.crc32(b"aco56PH") == 0
    assert tag_code("aco56PH") == 1


def test_no_tag_has_the_code_that_means_mixed_tags() -> None:
    assert zlib.crc32(b"azoOjvA") == MIXED_TAGS
    assert tag_code("azoOjvA") == MIXED_TAGS - 1


@given(TAGS)
def test_a_tag_code_is_never_zero_and_fits_32_bits(tag: str) -> None:
    assert 0 < tag_code(tag) < MIXED_TAGS < 1 << 32
