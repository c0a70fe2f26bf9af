"""Options: what cannot be is refused with the field and the limit; what can be is taken."""

from dataclasses import fields

import pytest

from mq.core.errors import IllegalArgumentError
from mq.raft.options import RaftOptions

SWITCHES = {"has_pre_vote", "has_check_quorum"}
AT_LEAST = {
    field.name: (0 if field.name == "learner_lag_max" else 1) for field in fields(RaftOptions) if field.name not in SWITCHES
}


@pytest.mark.parametrize("name", AT_LEAST)
def test_one_less_than_the_least_is_refused_by_name_and_limit(name: str) -> None:
    with pytest.raises(IllegalArgumentError, match=rf"{name} is -?\d+, it must be at least {AT_LEAST[name]}"):
        RaftOptions(**{name: AT_LEAST[name] - 1})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", AT_LEAST)
def test_the_least_is_taken(name: str) -> None:
    settings = {"heartbeat_ticks": 1, "election_ticks": 2, name: AT_LEAST[name]}
    if name == "election_ticks":
        with pytest.raises(IllegalArgumentError, match="heartbeat_ticks"):
            RaftOptions(**settings)  # type: ignore[arg-type]
    else:
        assert getattr(RaftOptions(**settings), name) == AT_LEAST[name]  # type: ignore[arg-type]


@pytest.mark.parametrize("name", sorted(SWITCHES))
@pytest.mark.parametrize("is_on", [False, True])
def test_a_switch_is_on_or_off(name: str, is_on: bool) -> None:
    assert getattr(RaftOptions(**{name: is_on}), name) is is_on


@pytest.mark.parametrize(("election", "heartbeat"), [(2, 2), (3, 5)])
def test_an_election_takes_longer_than_a_heartbeat(election: int, heartbeat: int) -> None:
    with pytest.raises(
        IllegalArgumentError, match=rf"election_ticks is {election}, .* more than heartbeat_ticks \({heartbeat}\)"
    ):
        RaftOptions(election_ticks=election, heartbeat_ticks=heartbeat)
