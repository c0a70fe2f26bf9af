"""What the labs' pages say under "Run it": commands that work one lab behind the other, and harm nobody else's broker."""

import re

import pytest

from labs.grader.lab import find_lab

LABS = ("lab1a", "lab1b", "lab1c", "lab1d")


def run_it(lab: str) -> str:
    """That part of its page."""
    text = (find_lab(lab).folder / "README.md").read_text(encoding="utf-8")
    return text.partition("\n## Run it\n")[2].partition("\n## ")[0]


def test_each_lab_has_a_broker_of_its_own_with_a_folder_and_an_address() -> None:
    brokers = [re.findall(r"mq broker --data (\S+) .*--listen (\S+) --metrics \"\"\n", run_it(lab)) for lab in LABS]
    assert [len(found) for found in brokers] == [1] * len(LABS)
    folders, addresses = zip(*(found[0] for found in brokers), strict=True)
    assert len(set(folders)) == len(set(addresses)) == len(LABS)


@pytest.mark.parametrize("lab", LABS)
def test_the_commands_ask_that_broker_and_only_it_is_killed(lab: str) -> None:
    told = run_it(lab)
    ((folder, address),) = re.findall(r"mq broker --data (\S+) .*--listen (\S+)", told)
    assert f"export MQ_ENDPOINT={address} " in told
    assert "unset MQ_ENDPOINT" in told
    assert f"kill -9 $(cat {folder}/LOCK)" in told
    assert "pkill" not in told
    assert set(re.findall(r"\.mq/\w+", told)) <= {folder, ".mq/bakery"}


@pytest.mark.parametrize("lab", LABS)
def test_who_is_not_done_is_told_of_a_solution_to_go_on_with(lab: str) -> None:
    assert f"`mq lab catch-up {lab}`" in run_it(lab)
