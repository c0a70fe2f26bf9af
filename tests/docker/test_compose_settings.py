"""What docker/compose.yaml is told by the environment and docker/.env, with each Compose that is there; no engine is needed."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.docker.compose import FILE, Compose, commands

pytestmark = pytest.mark.usefixtures("has_compose")
COMMANDS = commands() or ((),)  # with none, the tests that need one say so
ROOT = FILE.parent.parent


def build_args(command: tuple[str, ...], **environment: str) -> dict[str, Any]:
    """What the image is built with; nothing where it is not set."""
    args = Compose("raftmq:latest", command=command, environment=environment).services()["broker-a-1"]["build"]["args"]
    assert isinstance(args, dict)
    return {name: text for name, text in args.items() if text}


@pytest.mark.parametrize("command", COMMANDS)
def test_the_build_is_told_where_packages_come_from(command: tuple[str, ...]) -> None:
    unset = {"MQ_BASE": "", "PIP_INDEX_URL": "", "PIP_NO_INDEX": ""}
    assert build_args(command, **unset) == {"BASE": "python:3.12-slim"}
    told = {"MQ_BASE": "local/python:3", "PIP_INDEX_URL": "https://index.example/simple", "PIP_NO_INDEX": "1"}
    assert build_args(command, **told) == {"BASE": told.pop("MQ_BASE"), **told}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_missing_secret_is_named_at_the_end_of_what_compose_says(command: tuple[str, ...]) -> None:
    said = Compose("raftmq:latest", command=command, environment={"MQ_CLUSTER_SECRET": ""}).tried("config")
    assert said.returncode != 0
    assert said.stderr.rstrip().endswith("MQ_CLUSTER_SECRET is not set, see the head of docker/compose.yaml")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="the README's line takes its secret from openssl")
@pytest.mark.parametrize("command", COMMANDS)
def test_the_readmes_first_line_names_a_project_of_this_checkout_and_may_be_repeated(
    command: tuple[str, ...], tmp_path: Path
) -> None:
    (line,) = re.findall(
        r"^    (\[ -e docker/\.env .*?)(?:    #.*)?$", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    names = set()
    for checkout in (tmp_path / "one", tmp_path / "two"):
        (checkout / "docker").mkdir(parents=True)
        shutil.copy(FILE, checkout / "docker")
        subprocess.run(["sh", "-c", line], cwd=checkout, check=True)
        written = (checkout / "docker" / ".env").read_bytes()
        subprocess.run(["sh", "-c", line], cwd=checkout, check=True)
        assert (checkout / "docker" / ".env").read_bytes() == written, "else running nodes would not know a new one"
        assert (checkout / "docker" / ".env").stat().st_mode & 0o077 == 0
        names |= {project_of(command, checkout)}
    assert len(names) == 2, "two checkouts share no volume"
    assert all(re.fullmatch(r"raftmq-[0-9a-f]{6}", name) for name in names)


def project_of(command: tuple[str, ...], checkout: Path) -> str:
    """What Compose calls the project; its version 1, which does not show that, at least takes the files."""
    environment = {name: text for name, text in os.environ.items() if not name.startswith(("MQ_", "COMPOSE_"))}
    shown = subprocess.run(
        [*command, "-f", "docker/compose.yaml", "config"],
        cwd=checkout,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    (told,) = re.findall(r"^COMPOSE_PROJECT_NAME=(.+)$", (checkout / "docker" / ".env").read_text(encoding="utf-8"), re.MULTILINE)
    return str(yaml.safe_load(shown.stdout).get("name", told))
