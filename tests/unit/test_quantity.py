import pytest
from hypothesis import given
from hypothesis import strategies as st

from mq.core.address import parse_address, show_address
from mq.core.errors import IllegalArgumentError
from mq.core.quantity import parse_duration_ms, parse_size_bytes, show_bytes, show_duration_ms


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("4096", 4096),
        ("64MiB", 64 << 20),
        ("64 mib", 64 << 20),
        ("1.5GiB", 3 << 29),
        ("2kb", 2000),
        (" 1 TiB ", 1 << 40),
        ("7b", 7),
    ],
)
def test_a_size_is_read(text: str, size: int) -> None:
    assert parse_size_bytes(text) == size


@pytest.mark.parametrize("text", ["", "MiB", "-1", "1 potato", "1e3", "1,5MiB", "0.3b", "1 2", "１２x", "0.0001KiB"])  # noqa: RUF001 - digits, but not ours
def test_what_is_no_size_is_refused_by_name(text: str) -> None:
    with pytest.raises(IllegalArgumentError, match=r"^limit: "):
        parse_size_bytes(text, "limit")


@pytest.mark.parametrize(
    ("text", "ms"), [("0", 0), ("5s", 5000), ("250ms", 250), ("1.5h", 5_400_000), ("2 M", 120_000), ("7d", 604_800_000)]
)
def test_a_duration_is_read(text: str, ms: int) -> None:
    assert parse_duration_ms(text) == ms


@pytest.mark.parametrize("text", ["5", "s", "-5s", "5 weeks", "0.5ms"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(IllegalArgumentError, match=r"^delay: "):
        parse_duration_ms(text, "delay")


@given(st.integers(0, 1 << 50))
def test_a_large_size_keeps_every_byte(size: int) -> None:
    assert parse_size_bytes(f"{size}b") == size
    assert parse_size_bytes(f"{size // 1024}.0kib") == size // 1024 * 1024


def test_quantities_are_shown_for_people() -> None:
    assert [show_bytes(n) for n in (0, 1023, 1024, 64 << 20, 1 << 50)] == [
        "0 bytes",
        "1023 bytes",
        "1.0 KiB",
        "64.0 MiB",
        "1024.0 TiB",
    ]
    shown = [show_duration_ms(n) for n in (999, 1500, 60_000, 3_661_000, 90_061_000)]
    assert shown == ["999 ms", "1.5 s", "1 m", "1 h 1 m", "1 d 1 h"]


@pytest.mark.parametrize("text", ["h:1", "127.0.0.1:65535", "[::1]:8081", "[fe80::1%eth0]:1"])
def test_an_address_is_shown_as_it_was_read(text: str) -> None:
    assert show_address(parse_address(text, "listen")) == text


@given(st.text(max_size=30))
def test_any_text_is_an_address_or_a_clear_error(text: str) -> None:
    refused = ""
    try:
        host, port = parse_address(text, "listen")
    except IllegalArgumentError as error:
        refused = str(error)
    assert refused.startswith("listen: ") if refused else (host and 1 <= port <= 65535)
