"""Which nodes with replaced organs nobody waits for any more while a cluster starts, and what is said of them."""

from pathlib import Path

import pytest

from mq.cluster.broken_parts import BrokenParts, BrokenPartsError
from mq.cluster.errors import ClusterError
from mq.cluster.files import ClusterFile, NodeEntry


def cluster_of(folder: Path, *with_parts: int) -> ClusterFile:
    nodes = [NodeEntry(f"broker-a-{number}", "broker-a", number, f"127.0.0.1:{number}", "") for number in (1, 2, 3)]
    return ClusterFile(folder, nodes, [], {}, parts={f"broker-a-{number}": "work/organ.py" for number in with_parts})


def broken_of(folder: Path, with_parts: tuple[int, ...], ended: tuple[int, ...], *, is_new: bool = False) -> BrokenParts:
    found = BrokenParts(cluster_of(folder, *with_parts), is_new=is_new)
    found.look(lambda name: "stopped" if int(name[-1]) in ended else "running")
    return found


@pytest.mark.parametrize(
    ("with_parts", "ended", "broken"),
    [
        ((3,), (), set()),
        ((3,), (3,), {"broker-a-3"}),
        ((3,), (1,), set()),  # one of ours has another reason
        ((1, 2, 3), (2,), {"broker-a-2"}),
        ((1, 2, 3), (2, 3), set()),  # the last one is no majority
    ],
)
def test_nodes_with_parts_that_ended_are_not_waited_for_while_the_others_are_a_majority(
    with_parts: tuple[int, ...], ended: tuple[int, ...], broken: set[str], tmp_path: Path
) -> None:
    assert broken_of(tmp_path, with_parts, ended).names == broken


def test_the_reason_and_who_serves_are_told(tmp_path: Path) -> None:
    def ended(names: list[str]) -> None:
        raise ClusterError(f"{names[0]} ended with exit status 1 while starting")

    with pytest.raises(BrokenPartsError) as told:
        broken_of(tmp_path, (3,), (3,)).tell(lambda _nodes: False, ended, is_up=True)
    assert str(told.value) == (
        "broker-a-3 ended with exit status 1 while starting\nbroker-a-1 and broker-a-2 serve without it: export "
        f"MQ_ENDPOINT=127.0.0.1:1,127.0.0.1:2; when it is mended, `mq cluster start broker-a-3 --dir {tmp_path}` starts "
        "broker-a-3 again"
    )


def test_one_that_runs_and_does_not_answer_is_told_and_one_of_ours_is_not(tmp_path: Path) -> None:
    with pytest.raises(BrokenPartsError, match=r"broker-a-3 did not answer; what was said is in .*logs"):
        broken_of(tmp_path, (3,), ()).tell(lambda _nodes: False, lambda _names: None, is_up=False)
    broken_of(tmp_path, (), ()).tell(lambda _nodes: False, lambda _names: None, is_up=False)
    broken_of(tmp_path, (3,), ()).tell(lambda _nodes: True, lambda _names: None, is_up=False)  # nor do the others
    broken_of(tmp_path, (3,), ()).tell(lambda _nodes: False, lambda _names: None, is_up=True)  # all is well


def test_a_new_group_does_not_begin_without_one_of_its_nodes_and_nobody_waits_for_that(tmp_path: Path) -> None:
    now = [0.0]
    for is_new, has_led, is_hopeless in ((True, False, True), (True, True, False), (False, False, False)):
        broken = BrokenParts(cluster_of(tmp_path, 3), is_new=is_new, clock=lambda: now[0])
        assert not broken.is_hopeless(has_led=has_led)
        broken.look(lambda name: "stopped" if name == "broker-a-3" else "running")
        assert not broken.is_hopeless(has_led=has_led)
        now[0] += 6
        assert broken.is_hopeless(has_led=has_led) is is_hopeless
