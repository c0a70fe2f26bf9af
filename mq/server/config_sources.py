"""Where a broker's settings come from: a YAML file, and the environment. What they mean is `mq.server.config`'s to say."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mq.core.errors import IllegalArgumentError

__all__ = ["ENVIRONMENT_PREFIX", "PARTS_VARIABLE", "from_environment", "from_file"]

ENVIRONMENT_PREFIX = "MQ_BROKER_"
PARTS_VARIABLE = "MQ_PARTS"
"""Another name of MQ_BROKER_PARTS, as containers are told: `MQ_PARTS=work/lab1a docker compose up`."""

# A Kubernetes service called mq-broker puts these into every container beside it.
_SERVICE_LINK = re.compile(r"SERVICE_HOST|SERVICE_PORT(_.*)?|PORT(_\d+_.*)?")


def from_file(file: Path) -> dict[str, Any]:
    """Values by field name, those that the file leaves empty as "". Raises: IllegalArgumentError."""
    import yaml  # noqa: PLC0415 - most starts need none

    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise IllegalArgumentError(f"config: {file} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise IllegalArgumentError(f"config: {file} is not YAML: {' '.join(str(error).split())}") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise IllegalArgumentError(f"config: {file} must hold fields with values, such as `listen: 127.0.0.1:8081`")
    return {str(name): "" if value is None else value for name, value in content.items()}


def from_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Texts by field name. An empty MQ_PARTS is as none: Compose hands it on so when nobody has set it.

    Raises: IllegalArgumentError when the two names of `parts` say two things. Whichever were taken, the other one's organs would
    be missing, and nobody would notice.
    """
    found = {}
    for name, value in environment.items():
        field = name.removeprefix(ENVIRONMENT_PREFIX)
        if field != name and not _SERVICE_LINK.fullmatch(field):
            found[field.lower()] = value
    if (parts := environment.get(PARTS_VARIABLE)) and found.setdefault("parts", parts) != parts:
        raise IllegalArgumentError(
            f"parts: {PARTS_VARIABLE} is {parts!r}, and {ENVIRONMENT_PREFIX}PARTS is {found['parts']!r}: which one is meant?"
        )
    return found
