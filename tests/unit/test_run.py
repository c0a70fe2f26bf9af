"""`run.py` and what stands behind it: it must work where nothing is installed, and say what is missing."""

import ast
import importlib.util
import itertools
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

import pytest
from _pytest.mark.expression import Expression

import run
from tools.runner import doctor, environment, main, measure, tiers
from tools.runner.environment import Environment
from tools.runner.indexes import pip_environment, pip_settings, redacted, uv_command
from tools.runner.pip_errors import explain
from tools.runner.places import LOCK, ROOT, STAMP, VENV, script_in, venv_python
from tools.runner.say import Counter, SetupError

# ---------------------------------------------------------------- before anything is installed


def test_run_py_is_readable_by_python_3_9() -> None:
    tree = ast.parse((ROOT / "run.py").read_text(encoding="utf-8"), feature_version=(3, 9))
    # `X | None` is no syntax error there, but fails when the function is made.
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    hints = [argument.annotation for node in functions for argument in node.args.args] + [node.returns for node in functions]
    assert hints
    assert not [ast.unparse(hint) for hint in hints if isinstance(hint, ast.BinOp)]


def test_the_runner_imports_the_standard_library_alone() -> None:
    files = [file for file in (ROOT / "tools" / "runner").glob("*.py") if file.name != "tally.py"]  # a plugin of pytest's
    assert len(files) > 5
    for file in [ROOT / "run.py", *files]:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                assert name.split(".")[0] in sys.stdlib_module_names | {"tools"}, f"{file.name} imports {name}"


def test_an_old_python_is_told_what_is_needed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 18))
    monkeypatch.setattr(run, "newer_python", lambda: "")
    assert run.main(["demo"]) == 2
    said = capsys.readouterr().err
    assert "needs Python 3.11 or newer; this is Python 3.9.18" in said
    assert "apt-get install python3 python3-venv" in said


def test_an_old_python_goes_on_with_a_newer_one_that_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    script = tmp_path / "python3.11"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "version_info", (3, 9, 18))
    assert run.main(["lab"]) == 2
    assert main.LATER["lab"] in capfd.readouterr().err


def test_a_python_without_ensurepip_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}" if name == "apt-get" else None)
    advice = environment.venv_advice()
    assert advice is not None
    assert f"apt-get install -y python{sys.version_info[0]}.{sys.version_info[1]}-venv" in advice


# ---------------------------------------------------------------- commands


@pytest.mark.parametrize("command", main.LATER)
def test_commands_of_later_stages_say_so(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main([command, "--seed", "1"]) == 2
    assert capsys.readouterr().err.strip() == main.LATER[command]


def test_seeds_of_the_world_are_run_where_the_caller_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Environment, "ensure", lambda self, purpose: Path(sys.executable))
    monkeypatch.setattr(main, "_become", lambda python, arguments: subprocess.run([python, *arguments], check=False).returncode)
    monkeypatch.chdir(tmp_path)
    assert main.main(["sim", "--seed", "1", "--steps", "1500", "--draw", "loss.png"]) == 0
    assert (tmp_path / "loss.png").read_bytes().startswith(b"\x89PNG")
    assert capfd.readouterr().out.startswith("time ")


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["check", "--nonsense"], ["test", "--quick", "--night"]])
def test_a_wrong_call_is_refused_with_a_sentence(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main.main(arguments)
    assert stopped.value.code == 2
    assert "run.py" in capsys.readouterr().err


def test_the_help_of_the_course_is_there_at_once(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(Environment, "ensure", lambda *_: pytest.fail("it was set up"))
    with pytest.raises(SystemExit) as ended:
        main.main(["course", "--help"])
    assert ended.value.code == 0
    assert "--no-browser" in capsys.readouterr().out


def test_arguments_of_the_course_go_to_jupyterlab(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[list[str]] = []
    monkeypatch.setattr(Environment, "ensure", lambda *_: Path("python"))

    def opened(_python: Path, arguments: list[str]) -> int:
        given.append(arguments)
        return 0

    monkeypatch.setattr("tools.runner.course.run", opened)
    arguments = ["--no-browser", "--port=9000", "--help-all"]
    assert main.main(["course", *arguments]) == 0
    assert given == [arguments]


def test_what_is_missing_is_said_without_a_traceback(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def refuse(self: Environment, purpose: str) -> Path:
        raise SetupError(f"cannot set up {purpose}")

    monkeypatch.setattr(Environment, "ensure", refuse)
    monkeypatch.chdir(ROOT)
    assert main.main(["demo"]) == 2
    assert capsys.readouterr().err.strip() == "cannot set up demo"


def test_arguments_after_test_go_to_pytest(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, list[str]]] = []

    def note(python: Path, tier: str, arguments: list[str]) -> int:
        seen.append((tier, arguments))
        return 0

    monkeypatch.setattr(Environment, "ensure", lambda self, purpose: Path(sys.executable))
    monkeypatch.setattr(tiers, "run", note)
    monkeypatch.chdir(ROOT)
    assert main.main(["test", "--quick", "tests/unit", "-k", "clock", "-x"]) == 0
    assert seen == [("quick", ["tests/unit", "-k", "clock", "-x"])]


# ---------------------------------------------------------------- the environment


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Environment:
    """A checkout whose requirements are empty: making its environment installs nothing and asks no index."""
    (tmp_path / "requirements").mkdir()
    for purpose in environment.PURPOSES:
        (tmp_path / "requirements" / f"{purpose}.txt").write_text("")
    (tmp_path / "pyproject.toml").write_text("")
    monkeypatch.setattr(environment, "uv_command", lambda variables: None)
    monkeypatch.setattr(Environment, "_check", lambda self: None)
    return Environment(tmp_path, tmp_path / ".venv", tmp_path / ".venv.lock")


@pytest.fixture
def made(checkout: Environment, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Notes what is made and installed, in place of doing it."""
    steps: list[str] = []

    def make(self: Environment, *, is_whole: bool) -> None:
        steps.append("kept" if is_whole else "made anew")
        self.python.parent.mkdir(parents=True, exist_ok=True)
        self.python.touch()

    monkeypatch.setattr(Environment, "_make_folder", make)
    monkeypatch.setattr(Environment, "_install", lambda self, purpose: steps.append(purpose))
    return steps


def test_a_second_call_does_nothing(checkout: Environment, made: list[str]) -> None:
    checkout.ensure("demo")
    checkout.ensure("demo")
    assert made == ["made anew", "demo"]


def test_the_larger_environment_serves_the_smaller_purpose_and_is_never_shrunk(checkout: Environment, made: list[str]) -> None:
    checkout.ensure("demo")
    checkout.ensure("test")
    checkout.ensure("demo")
    assert made == ["made anew", "demo", "kept", "test"]
    (checkout.root / "requirements" / "test.txt").write_text("# newer")
    checkout.ensure("demo")
    assert made[4:] == ["kept", "test"]


@pytest.mark.parametrize(
    ("changed", "text"), [("requirements/demo.txt", "# newer"), ("pyproject.toml", "[project]\nversion = '2'\n")]
)
def test_changed_inputs_are_installed(checkout: Environment, made: list[str], changed: str, text: str) -> None:
    checkout.ensure("demo")
    (checkout.root / changed).write_text(text)
    assert not checkout.is_ready("demo")
    checkout.ensure("demo")
    assert made == ["made anew", "demo", "kept", "demo"]


def test_line_ends_of_windows_change_nothing(checkout: Environment, made: list[str]) -> None:
    (checkout.root / "requirements" / "demo.txt").write_bytes(b"# a\n# b\n")
    checkout.ensure("demo")
    (checkout.root / "requirements" / "demo.txt").write_bytes(b"# a\r\n# b\r\n")
    assert checkout.is_ready("demo")


def test_the_settings_of_linters_ask_for_no_new_installation(checkout: Environment, made: list[str]) -> None:
    checkout.ensure("demo")
    (checkout.root / "pyproject.toml").write_text("[tool.ruff]\nline-length = 130\n")
    assert checkout.is_ready("demo")


def test_an_interrupted_set_up_is_made_anew(checkout: Environment, made: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    checkout.ensure("demo")
    (checkout.root / "requirements" / "demo.txt").write_text("# newer")

    def interrupt(self: Environment, purpose: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Environment, "_install", interrupt)
        with pytest.raises(KeyboardInterrupt):
            checkout.ensure("demo")
    assert not checkout.is_ready("demo")
    checkout.ensure("demo")
    assert made[-2:] == ["made anew", "demo"]


def test_after_a_failed_installation_the_next_call_goes_on(
    checkout: Environment, made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Environment, purpose: str) -> None:
        raise SetupError("no network")

    with monkeypatch.context() as patch:
        patch.setattr(Environment, "_install", fail)
        with pytest.raises(SetupError, match="no network"):
            checkout.ensure("demo")
    assert not checkout.is_ready("demo")
    checkout.ensure("demo")
    assert made == ["made anew", "kept", "demo"]


def test_set_up_says_what_it_did(
    checkout: Environment, made: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(main, "Environment", lambda: checkout)
    assert main.main(["setup", "demo"]) == 0
    assert "The environment for demo is made: " in capsys.readouterr().err
    assert main.main(["setup", "demo"]) == 0
    assert "The environment for demo was there already, nothing was changed: " in capsys.readouterr().err


def test_a_moved_checkout_gets_a_new_environment(checkout: Environment, made: list[str]) -> None:
    checkout.ensure("demo")
    stamp = checkout.venv / STAMP
    stamp.write_text(json.dumps({**json.loads(stamp.read_text()), "folder": "elsewhere"}))
    checkout.ensure("demo")
    assert made == ["made anew", "demo", "made anew", "demo"]


@pytest.mark.parametrize("stamp", ["", "{", "[]", "null", '{"purpose": 3}'])
def test_a_broken_stamp_counts_as_half_made(checkout: Environment, made: list[str], stamp: str) -> None:
    checkout.ensure("demo")
    (checkout.venv / STAMP).write_text(stamp)
    assert not checkout.is_ready("demo")
    checkout.ensure("demo")
    assert made[-2:] == ["made anew", "demo"]


def test_a_link_to_an_environment_of_another_folder_goes_and_nothing_else(checkout: Environment, made: list[str]) -> None:
    checkout.ensure("demo")
    theirs = checkout.venv.rename(checkout.root.parent / "theirs")
    stamp = json.loads((theirs / STAMP).read_text(encoding="utf-8"))
    (theirs / STAMP).write_text(json.dumps({**stamp, "folder": "/another/checkout"}), encoding="utf-8")
    before = sorted((path, path.stat().st_mtime_ns) for path in theirs.rglob("*"))
    checkout.venv.symlink_to(theirs, target_is_directory=True)
    checkout.ensure("demo")
    assert not checkout.venv.is_symlink()
    assert checkout.is_ready("demo")
    assert sorted((path, path.stat().st_mtime_ns) for path in theirs.rglob("*")) == before


def test_an_environment_whose_python_is_gone_is_not_ready(checkout: Environment, made: list[str]) -> None:
    checkout.ensure("demo")
    checkout.python.unlink()
    assert not checkout.is_ready("demo")


@pytest.mark.slow
def test_a_half_made_folder_becomes_a_working_environment(checkout: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    checkout.python.parent.mkdir(parents=True)
    checkout.python.symlink_to("/nonexistent/python")
    (checkout.venv / "pyvenv.cfg").write_text("home = nowhere\n")
    monkeypatch.setattr(Environment, "_install", lambda self, purpose: None)
    python = checkout.ensure("demo")
    done = subprocess.run([str(python), "-m", "pip", "--version"], capture_output=True, text=True, check=True)
    assert str(checkout.venv) in done.stdout


@pytest.mark.slow
def test_a_failing_pip_is_explained(checkout: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    (checkout.root / "requirements" / "demo.txt").write_text("raftmq-nowhere==1 --hash=sha256:" + "0" * 64 + "\n")
    with pytest.raises(SetupError) as stopped:
        checkout.ensure("demo")
    assert "No matching distribution found for raftmq-nowhere" in str(stopped.value)
    assert "a mirror may lag" in str(stopped.value)
    assert not checkout.is_ready("demo")


def test_only_the_pinned_packages_are_installed(checkout: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    """A release that somebody makes tomorrow must not break the install, as one of `coverage` did through `coverage[toml]`."""
    calls: list[list[str]] = []
    monkeypatch.setattr(Environment, "_make_folder", lambda self, *, is_whole: None)
    monkeypatch.setattr(Environment, "_pip", lambda self, label, total, arguments: calls.append(arguments))
    checkout._install("demo")
    assert [("--no-deps" in call) for call in calls] == [True, True]
    assert "--require-hashes" in calls[0]


def test_the_pinned_packages_are_all_that_is_needed() -> None:
    done = subprocess.run([sys.executable, "-m", "pip", "check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_progress_is_counted_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    counter = Counter("packages", 20)
    for _ in range(25):
        counter.step("grpcio")
    counter.close()
    assert counter.done == 20
    assert capsys.readouterr().err.splitlines()[:2] == ["  packages 10/20", "  packages 20/20"]


# ---------------------------------------------------------------- where packages come from


def test_no_configuration_means_the_public_index() -> None:
    assert pip_settings({"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_DEFAULT_TIMEOUT": "60", "PIP_INDEX_URL": " "}, []) == {}


@pytest.mark.parametrize("section", ["global", "install"])
def test_a_mirror_in_a_file_or_a_variable_is_found(tmp_path: Path, section: str) -> None:
    file = tmp_path / "pip.conf"
    file.write_text(f"[{section}]\nindex_url = https://file.example/simple\ntimeout = 5\n")
    assert pip_settings({}, [file]) == {"index-url": "https://file.example/simple"}
    assert pip_settings({"PIP_INDEX_URL": "https://env.example/simple"}, [file]) == {"index-url": "https://env.example/simple"}


def test_an_unreadable_configuration_file_is_pips_to_complain_about(tmp_path: Path) -> None:
    file = tmp_path / "pip.conf"
    file.write_text("no section\n")
    assert pip_settings({}, [file, tmp_path / "missing"]) == {}


def test_the_file_that_pip_is_told_to_read_is_read(tmp_path: Path) -> None:
    file = tmp_path / "mine.conf"
    file.write_text("[global]\nproxy = http://proxy.example:3128\n")
    assert pip_settings({"PIP_CONFIG_FILE": str(file)})["proxy"] == "http://proxy.example:3128"
    assert pip_settings({"PIP_CONFIG_FILE": os.devnull}) == {}


def test_uv_is_used_only_where_pip_is_not_configured(tmp_path: Path) -> None:
    uv = tmp_path / ("uv.exe" if os.name == "nt" else "uv")
    uv.write_text("")
    uv.chmod(0o755)
    plain = {"PATH": str(tmp_path), "PIP_CONFIG_FILE": os.devnull}
    assert uv_command(plain) == str(uv)
    assert uv_command({**plain, "PIP_INDEX_URL": "https://mirror.example/simple"}) is None
    assert uv_command({**plain, "PIP_CERT": "ca.pem"}) is None
    assert uv_command({**plain, "PATH": ""}) is None


def test_pip_keeps_the_users_settings_but_not_those_that_lead_elsewhere(tmp_path: Path) -> None:
    authority = tmp_path / "ca.pem"
    authority.write_text("")
    theirs = {
        "HTTPS_PROXY": "http://proxy:1",
        "PIP_INDEX_URL": "https://m",
        "PIP_TARGET": "x",
        "PIP_USER": "1",
        "PYTHONPATH": "y",
    }
    mine = pip_environment({**theirs, "SSL_CERT_FILE": str(authority), "PIP_CONFIG_FILE": os.devnull})
    assert mine["HTTPS_PROXY"] == "http://proxy:1"
    assert mine["PIP_INDEX_URL"] == "https://m"
    assert mine["PIP_CERT"] == str(authority)
    assert not {"PIP_TARGET", "PIP_USER", "PYTHONPATH"} & set(mine)


@pytest.mark.parametrize("chosen", ["PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_an_authority_chosen_for_pip_is_not_replaced(tmp_path: Path, chosen: str) -> None:
    authority = tmp_path / "ca.pem"
    authority.write_text("")
    mine = pip_environment({chosen: "theirs", "SSL_CERT_FILE": str(authority), "PIP_CONFIG_FILE": os.devnull})
    assert mine[chosen] == "theirs"
    assert mine.get("PIP_CERT", "theirs") == "theirs"


def test_passwords_in_addresses_are_not_shown() -> None:
    assert redacted("https://me:secret@mirror.example/simple") == "https://***@mirror.example/simple"
    assert redacted("https://mirror.example/simple") == "https://mirror.example/simple"


@pytest.mark.parametrize(
    ("output", "word"),
    [
        ("SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED]", "PIP_CERT"),
        ("NewConnectionError: [Errno -3] Temporary failure in name resolution", "HTTPS_PROXY"),
        ("OSError: [Errno 28] No space left on device", "disk is full"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE", "mirror"),
        ("ERROR: No matching distribution found for x==1", "mirror may lag"),
        ("error: command 'gcc' failed", "does not compile"),
        ("something else", "doctor"),
    ],
)
def test_a_failed_installation_is_explained(output: str, word: str) -> None:
    assert word in explain(output)


# ---------------------------------------------------------------- tiers

MARKS = ("interop", "cluster", "slow", "night")


def chosen_by(expression: str, marks: Collection[str]) -> bool:
    return Expression.compile(expression).evaluate(lambda name, /, **_: name in marks)


@pytest.mark.parametrize("marks", [some for count in range(5) for some in itertools.combinations(MARKS, count)], ids=str)
def test_every_test_runs_once_in_its_tiers(marks: tuple[str, ...]) -> None:
    runs = {tier: [chosen_by(part.marks, marks) for part in parts].count(True) for tier, parts in tiers.TIERS.items()}
    assert runs["night"] == 1
    assert runs["default"] == (0 if "night" in marks else 1)
    assert runs["quick"] == (0 if marks else 1)


def test_tests_with_real_processes_run_in_two_rows_at_most_and_a_file_in_one() -> None:
    for parts in tiers.TIERS.values():
        for part in parts:
            if chosen_by(part.marks, {"interop"}) or chosen_by(part.marks, {"cluster"}):
                assert part.spread == "" or (part.spread, part.rows) == ("loadgroup", 2)


def test_arguments_of_ones_own_make_one_run_within_the_tier() -> None:
    assert [part.marks for part in tiers.parts_of("default", ["tests/unit"])] == ["not night"]
    assert [part.marks for part in tiers.parts_of("night", ["tests/unit"])] == [""]
    assert [part.marks for part in tiers.parts_of("default", ["-m", "night"])] == [""]


def test_the_closing_line_adds_up_and_counts_a_run_that_broke_off() -> None:
    passed = tiers.Result(0, {"passed": 7, "deselected": 3, "warnings": 1})
    failed = tiers.Result(1, {"passed": 2, "failed": 1, "skipped": 4}, ["a.py::test"])
    assert (
        tiers.closing_line([passed, failed], 75.5).strip("= ") == "1 failed, 9 passed, 4 skipped, 1 warning in 75.50s (0:01:15)"
    )
    assert tiers.closing_line([passed, tiers.Result(3)], 1).strip("= ") == "7 passed, 1 warning, 1 error in 1.00s"
    assert tiers.closing_line([tiers.Result(5)], 1).strip("= ") == "no tests ran in 1.00s"


@pytest.mark.parametrize(
    ("statuses", "expected"), [([0, 0], 0), ([0, 5], 0), ([5, 0], 0), ([1, 0], 1), ([0, 1], 1), ([2, 5], 2), ([5, 5], 5)]
)
def test_a_tier_passes_when_every_run_passed_and_something_ran(statuses: list[int], expected: int) -> None:
    assert tiers.exit_status([tiers.Result(status) for status in statuses]) == expected


EXAMPLE = """
import pytest
def test_passes(): pass
@pytest.mark.slow
def test_fails(): assert False
def test_is_skipped(): pytest.skip("no")
"""


@pytest.mark.slow
def test_two_runs_end_in_one_closing_line_that_ci_finds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "test_example.py"
    file.write_text(EXAMPLE)
    parts = (tiers.Part("one", "not slow", "loadgroup", rows=2), tiers.Part("two", "slow", "loadgroup", rows=2))
    monkeypatch.setattr(tiers, "parts_of", lambda tier, arguments: parts)
    assert tiers.run(Path(sys.executable), "default", [str(file)]) == 1
    lines = capfd.readouterr().out.splitlines()
    assert re.fullmatch(r"=+ 1 failed, 1 passed, 1 skipped(, \d+ warnings)? in [\d.]+s( \([\d:]+\))? =+", lines[-1])
    assert any(line.startswith("FAILED ") and line.endswith("test_example.py::test_fails") for line in lines[-3:])
    pattern = re.search(r"grep -E '([^']+)'", (ROOT / ".ci" / "run").read_text(encoding="utf-8"))
    assert pattern is not None
    assert [line for line in lines if re.search(pattern[1], line)][-1] == lines[-1]


# ---------------------------------------------------------------- doctor


def test_a_taken_port_is_noticed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert not measure.port_is_free(port)
    assert measure.port_is_free(port)


def test_fsync_and_memory_are_measured(tmp_path: Path) -> None:
    median, worst = measure.fsync_ms(tmp_path)
    assert 0 < median <= worst
    assert list(tmp_path.iterdir()) == []
    memory = measure.memory_bytes()
    assert memory is None or memory > 1 << 28


def test_an_index_that_does_not_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "PIP_CERT", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert "refused" in str(measure.index_answer(f"http://127.0.0.1:{port}/simple")).lower()
    assert measure.index_answer("nonsense") is not None


def test_the_doctor_looks_at_everything(checkout: Environment, made: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "index_answer", lambda url: None)
    subjects = [finding.subject for finding in doctor.examine(checkout)]
    assert {"Python", "venv", "environment", "packages", "index", "disk", "fsync", "memory", "ports", "Docker"} <= set(subjects)
    checkout.ensure("test")
    ready = {finding.subject: finding for finding in doctor.examine(checkout)}
    assert ready["environment"].grade is doctor.Grade.OK
    assert "index" not in ready, "with everything installed no index is asked"


def test_the_doctor_names_what_is_in_the_way_and_what_mends_it(
    checkout: Environment, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "index_answer", lambda url: "no route")
    assert doctor.run(checkout) == 1
    said = capsys.readouterr().out
    assert "does not answer: no route" in said
    assert "mend: set HTTPS_PROXY" in said
    assert said.strip().endswith("In the way: index.")


def test_places_are_in_the_checkout() -> None:
    assert VENV == ROOT / ".venv"
    assert LOCK.parent == ROOT
    assert venv_python(VENV).parent == script_in(VENV, "mq").parent
