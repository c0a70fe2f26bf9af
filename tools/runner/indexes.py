"""Where packages come from on this machine: pip's configuration, proxies, private certificate authorities.

uv does not read pip's configuration, and `uv sync --frozen` takes no mirror: so uv is used only where
nothing of that kind is set.
"""

import configparser
import os
import re
import shutil
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

__all__ = ["pip_environment", "pip_settings", "redacted", "uv_command"]

_DECIDING = frozenset(
    {
        "cert", "client-cert", "extra-index-url", "find-links", "index-url", "no-binary", "no-index", "only-binary", "proxy",
        "trusted-host",
    }
)  # fmt: skip
"""Options of pip that say where packages come from, or whether they can be reached."""
_MISLEADING = ("PIP_PREFIX", "PIP_REQUIRE_VIRTUALENV", "PIP_ROOT", "PIP_TARGET", "PIP_USER", "PYTHONHOME", "PYTHONPATH")
"""What would make pip install elsewhere than in our environment."""
_CA_OF_REQUESTS = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def _configuration_files(environment: Mapping[str, str]) -> list[Path]:
    """Where pip looks for its files; see `pip config debug`."""
    name = "pip.ini" if os.name == "nt" else "pip.conf"
    home = Path.home()
    files = [Path("/etc") / name, Path("/etc/xdg/pip") / name, home / ".pip" / name, home / ".config" / "pip" / name]
    files += [home / "Library" / "Application Support" / "pip" / name, Path("/Library/Application Support/pip") / name]
    roots = (environment.get(key) for key in ("XDG_CONFIG_HOME", "APPDATA", "PROGRAMDATA"))
    files += [Path(root) / "pip" / name for root in roots if root]
    files.append(Path(sys.base_prefix) / name)
    if chosen := environment.get("PIP_CONFIG_FILE"):
        # pip's own rule: the null device switches all files off.
        return [] if chosen == os.devnull else [*files, Path(chosen)]
    return files


def _from_files(files: Iterable[Path]) -> dict[str, str]:
    found = {}
    for file in files:
        parser = configparser.RawConfigParser()
        try:
            parser.read(file, encoding="utf-8")
        except (configparser.Error, OSError, UnicodeDecodeError):
            continue
        for section in ("global", "install"):
            if parser.has_section(section):
                found.update({key.replace("_", "-"): value for key, value in parser.items(section)})
    return found


def pip_settings(environment: Mapping[str, str], files: Iterable[Path] | None = None) -> dict[str, str]:
    """What is configured of pip that decides where packages come from, by pip's option name; empty on most machines."""
    found = _from_files(_configuration_files(environment) if files is None else files)
    found.update({key[4:].lower().replace("_", "-"): value for key, value in environment.items() if key.startswith("PIP_")})
    return {key: value for key, value in sorted(found.items()) if key in _DECIDING and value.strip()}


def uv_command(environment: Mapping[str, str]) -> str | None:
    """The path of uv where it may be used, else None."""
    return None if pip_settings(environment) else shutil.which("uv", path=environment.get("PATH"))


def pip_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment for pip: everything the user set, less what leads out of our `.venv`.

    pip before 24.2 does not read SSL_CERT_FILE, so a private authority named there is passed on.
    """
    mine = {key: value for key, value in environment.items() if key not in _MISLEADING}
    mine.update(PIP_DISABLE_PIP_VERSION_CHECK="1", PIP_NO_INPUT="1", PYTHONNOUSERSITE="1")
    authority = environment.get("SSL_CERT_FILE", "")
    is_chosen = any(environment.get(key) for key in _CA_OF_REQUESTS) or "cert" in pip_settings(environment)
    if Path(authority).is_file() and not is_chosen:
        mine["PIP_CERT"] = authority
    return mine


def redacted(url: str) -> str:
    """The address without its password."""
    return re.sub(r"(://)[^/@\s]+@", r"\1***@", url)
