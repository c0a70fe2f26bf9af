"""A follower hears its leader and cannot say anything to it, and an official client is connected to that follower."""

import time

from tests.cluster.group import Group, gap_s
from tests.cluster.sending import sent_by, wait_for_more
from tests.interop.driving import Official
from tests.interop.place import Place


def test_a_client_of_a_follower_that_cannot_reach_its_leader_goes_to_another_node_and_no_send_fails(
    group: Group, place: Place, official: Official
) -> None:
    asked = group.asked_follower()
    official.producer("anna", topic=place.topic)
    official.keep_sending("anna", topic=place.topic, callers=["a1", "a2"])
    wait_for_more(official, "anna")
    leader, cut_s = group.leader(), time.monotonic()
    group.cluster.cut(asked, leader, is_one_way=True)
    wait_for_more(official, "anna")
    assert not group.is_open(asked), "it turned its clients away"
    assert group.leader() == leader, "nothing is wrong with the leader"
    group.mend()
    sent = sent_by(official, "anna")
    failed = [one for one in sent if one.error]
    print(f"{len(sent)} sends, {len(failed)} failed, gap {gap_s(sent, cut_s):.2f} s")
    assert failed == []
    assert {message.body for message in sent} == {one.body.decode() for one in group.stored(place.topic)}
