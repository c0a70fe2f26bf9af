"""Makes `mq/proto/*_pb2.py` and `*_pb2.pyi` from the `.proto` files beside them.

    .venv/bin/python tools/generate_proto.py            regenerate in place
    .venv/bin/python tools/generate_proto.py --check    compare with what is checked in; exit 1 if anything differs

The files are checked in, so that nobody needs a compiler to run the broker. They are made with
grpcio-tools 1.85.1 and mypy-protobuf 5.1.0; other versions write other bytes.
"""

import argparse
import importlib.metadata
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCES = Path("mq/proto")
GENERATORS = {"grpcio-tools": "1.85.1", "mypy-protobuf": "5.1.0"}
SUFFIXES = ("_pb2.py", "_pb2.pyi")


def wrong_generators() -> list[str]:
    """What is missing or of another version, in words."""
    complaints = []
    for package, wanted in GENERATORS.items():
        try:
            found = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found = "not installed"
        if found != wanted:
            complaints.append(f"{package} must be {wanted}, is {found} (pip install {package}=={wanted})")
    return complaints


def generate(into: Path) -> dict[Path, bytes]:
    """Run protoc on every `.proto` file and return the generated files by their path from the root.

    The compiler runs in the repository root with `-I.`, so generated imports are absolute and name
    the package `mq.proto`.
    """
    protos = sorted(str(path.relative_to(ROOT).as_posix()) for path in (ROOT / SOURCES).glob("*.proto"))
    plugin = shutil.which("protoc-gen-mypy", path=str(Path(sys.executable).parent)) or shutil.which("protoc-gen-mypy")
    if plugin is None:
        raise SystemExit("protoc-gen-mypy not found: it comes with mypy-protobuf")
    command = [sys.executable, "-m", "grpc_tools.protoc", "-I.", f"--plugin=protoc-gen-mypy={plugin}"]
    command += [f"--python_out={into}", f"--mypy_out=quiet:{into}", *protos]
    subprocess.run(command, cwd=ROOT, check=True)
    return {path.relative_to(into): path.read_bytes() for path in sorted(into.rglob("*")) if path.is_file()}


def checked_in() -> dict[Path, bytes]:
    """The generated files that are there now, by their path from the root."""
    files = [path for path in (ROOT / SOURCES).iterdir() if path.name.endswith(SUFFIXES)]
    return {path.relative_to(ROOT): path.read_bytes() for path in sorted(files)}


def differing(wanted: dict[Path, bytes], found: dict[Path, bytes]) -> list[str]:
    """Which files are missing, left over or different, in words."""
    complaints = [f"{path}: missing" for path in wanted.keys() - found.keys()]
    complaints += [f"{path}: no .proto file makes it" for path in found.keys() - wanted.keys()]
    complaints += [
        f"{path}: differs from its .proto file" for path in wanted.keys() & found.keys() if wanted[path] != found[path]
    ]
    return sorted(complaints)


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit code: 0 done or equal, 1 different, 2 cannot tell."""
    parser = argparse.ArgumentParser(description="Make the Python modules of mq/proto.")
    parser.add_argument("--check", action="store_true", help="only compare; exit 1 if anything differs")
    is_check: bool = parser.parse_args(arguments).check
    if complaints := wrong_generators():
        print("\n".join(complaints), file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        made = generate(Path(folder))
    complaints = differing(made, checked_in())
    if is_check:
        print("\n".join(complaints) or "mq/proto is up to date", file=sys.stderr)
        return 1 if complaints else 0
    for path in checked_in().keys() - made.keys():
        (ROOT / path).unlink()
    for path, data in made.items():
        (ROOT / path).write_bytes(data)
    print(f"{len(made)} files, {len(complaints)} changed", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
