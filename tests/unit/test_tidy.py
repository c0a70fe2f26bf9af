"""House rules that no linter knows. Each rule says what to do instead; each is tried on a line that breaks it.

The exceptions are debts: they only ever get fewer, and one that is paid must be struck off.
"""

import ast
import re
import subprocess
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
THIS = "tests/unit/test_tidy.py"
MODULE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
TEXT_BYTES_MAX = 1 << 20
PICTURE_BYTES_MAX = 2 << 20

EXCEPTIONS: dict[str, frozenset[str]] = {
    # rule: files or file:function that break it for now
    "module length": frozenset(),
    "function length": frozenset(),
    "file size": frozenset({"uv.lock"}),  # machine-made; every hash of every platform
    "sleep in a test": frozenset(),
    "test without a check": frozenset(),
}

# ---------------------------------------------------------------- the files


@cache
def tracked() -> tuple[str, ...]:
    """All files of the repository, from the root, with those that are new and not ignored."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        done = None
    if done is None or done.returncode:  # a bare machine, or an archive: no git
        skipped = {".venv", ".git", ".mq", "work", "__pycache__"}
        files = (file.relative_to(ROOT) for file in ROOT.rglob("*") if file.is_file())
        kept = (file for file in files if not skipped & set(file.parts) and "_cache/" not in file.as_posix())
        return tuple(sorted(file.as_posix() for file in kept))
    return tuple(sorted({name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()}))


def generated(name: str) -> bool:
    return "_pb2" in name or name == "uv.lock" or name.startswith("requirements/")


def sources(*folders: str) -> list[str]:
    """Python files that people write, below the given folders."""
    tops = tuple(f"{folder}/" for folder in folders)
    return [name for name in tracked() if name.endswith((".py", ".pyi")) and name.startswith(tops) and not generated(name)]


@cache
def text_of(name: str) -> str | None:
    """The text of a file, or None for pictures and other bytes."""
    data = (ROOT / name).read_bytes()
    if b"\0" in data:
        return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return None


def tree_of(name: str) -> ast.Module:
    return ast.parse(text_of(name) or "", filename=name)


def functions_of(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def held_against(rule: str, found: set[str]) -> None:
    """Fail for what breaks the rule, and for exceptions that are no longer needed."""
    allowed = EXCEPTIONS[rule]
    assert sorted(found - allowed) == [], f"{rule}: mend these"
    assert sorted(allowed - found) == [], f"{rule}: these are mended; strike them off EXCEPTIONS"


# ---------------------------------------------------------------- sizes


def test_modules_are_short() -> None:
    names = sources("mq", "tools")
    assert names
    held_against("module length", {name for name in names if (text_of(name) or "").count("\n") > MODULE_LINES_MAX})


def too_long(tree: ast.Module) -> list[str]:
    return [node.name for node in functions_of(tree) if (node.end_lineno or 0) - node.lineno + 1 > FUNCTION_LINES_MAX]


def test_functions_fit_a_screen() -> None:
    names = [*sources("mq", "tools", "bench", "tests"), "run.py"]
    held_against("function length", {f"{name}:{function}" for name in names for function in too_long(tree_of(name))})
    assert too_long(ast.parse("def long():\n" + "    pass\n" * 60)) == ["long"]
    assert too_long(ast.parse("def short():\n" + "    pass\n" * 59)) == []


def test_files_are_small() -> None:
    big = set()
    for name in tracked():
        size_max = TEXT_BYTES_MAX if text_of(name) is not None else PICTURE_BYTES_MAX
        if (ROOT / name).stat().st_size > size_max:
            big.add(name)
    held_against("file size", big)


# ---------------------------------------------------------------- docstrings and comments


def test_every_module_says_what_it_is() -> None:
    names = [name for name in [*sources("mq", "tools", "bench", "tests"), "run.py"] if (text_of(name) or "").strip()]
    assert [name for name in names if not ast.get_docstring(tree_of(name)) and not name.startswith("tests/")] == []
    assert [name for name in sources("mq") if not ast.get_docstring(tree_of(name))] == []


LINE_RULES: dict[str, tuple[Callable[[str], bool], re.Pattern[str], str, str]] = {
    # rule: (which files, what is wrong, what to do instead, a line that breaks it)
    "open ends": (
        lambda name: name.startswith(("mq/", "tools/", "bench/")),
        re.compile(r"\b(TODO|FIXME|XXX|HACK)\b"),
        "do it, or write down in docs/decisions why not",
        "x = 1  # TO" + "DO later",
    ),
    "bare ignores": (
        lambda name: name.endswith(".py"),
        re.compile(r"#\s*type:\s*ignore(?!\[)|#\s*noqa(?!:)|#\s*mypy:\s*ignore-errors|#\s*ruff:\s*noqa(?!:)"),
        "name the rule: `# type: ignore[code]`, `# noqa: CODE - reason`",
        "x = f()  # type: " + "ignore",
    ),
    "print in the product": (
        lambda name: name.startswith("mq/") and not name.startswith("mq/cli/"),
        re.compile(r"^\s*(print|pprint|breakpoint)\("),
        "use logging; only the command line talks to people",
        "    print('here')",
    ),
    "unfinished code": (
        lambda name: name.startswith("mq/"),
        re.compile(r"raise NotImplementedError|except Exception:\s*pass|^\s*pass\s*#"),
        "write it, or answer with a clear status",
        "    raise NotImplemented" + "Error",
    ),
    "places of one machine": (
        lambda name: name != THIS,
        re.compile(r"(?<![\w.*$}~/-])/(?:work|farm|Users|home/\w+)/\w|[A-Z]:\\Users\\"),
        "files are named from the root of the checkout or made in a temporary folder",
        "open('/ho" + "me/me/data')",
    ),
    "words of the day": (
        lambda name: name != THIS and not generated(name) and name != "LICENSE",
        re.compile(r"(?i)\b(as (requested|discussed)|this (ticket|pull request)|the issue (says|asks)|the brief)\b"),
        "say what is and why, not how it came about",
        "# as discuss" + "ed, 5 s",
    ),
    "trailing blanks": (
        lambda name: not generated(name) and name.endswith((".py", ".md", ".toml", ".sh", ".proto", ".yaml", ".yml")),
        re.compile(r"[ \t]+$"),
        "take them away",
        "x = 1 ",
    ),
    "conflict marks": (
        lambda name: not generated(name),
        re.compile(r"^(<{7}|>{7}) "),
        "finish the merge",
        "<" * 7 + " ours",
    ),
}  # fmt: skip


@pytest.mark.parametrize("rule", LINE_RULES)
def test_no_line_breaks_a_house_rule(rule: str) -> None:
    is_concerned, wrong, instead, example = LINE_RULES[rule]
    assert wrong.search(example), "the rule does not find what it is for"
    concerned = [name for name in tracked() if is_concerned(name)]
    assert concerned
    found = [
        f"{name}:{number}: {line.strip()[:100]}"
        for name in concerned
        for number, line in enumerate((text_of(name) or "").split("\n"), 1)
        if wrong.search(line)
    ]
    assert found == [], instead


PAPER = re.compile(r"Paper: [A-Z][\w .&'-]*, (?:sections?|figures?|chapters?|tables?|appendix) [\dA-Z]+(?:\.\d+)*\b")
ROCKETMQ = re.compile(r"""RocketMQ: (?:the |enum |service |message |proxy|[a-z]+/|["A-Z%]|\d|[a-z]+[A-Z]|[a-z_]+\.)\S*""")


def malformed_sources(text: str) -> list[str]:
    """The `Paper:` and `RocketMQ:` lines that a reader could not follow."""
    lines = [line.strip() for line in text.split("\n")]
    bad = [line for line in lines if "Paper: " in line and not PAPER.search(line)]
    bad += [line for line in lines if "RocketMQ: " in line and not ROCKETMQ.search(line)]
    bad += [line for line in lines if re.search(r"\b(?:Paper|RocketMQ):(?:$|\S)|\bpaper: ", line)]
    return bad


def test_sources_are_cited_in_the_one_form_that_can_be_collected() -> None:
    found = {name: bad for name in sources("mq") if (bad := malformed_sources(text_of(name) or ""))}
    assert found == {}
    assert sum((text_of(name) or "").count("RocketMQ: ") for name in sources("mq")) > 10, "nothing was looked at"


WELL_FORMED = ("Paper: Raft, section 5.4.1.", "Paper: Raft, figure 8", "Paper: Raft thesis, chapter 4", "RocketMQ: QueryRoute.")
MALFORMED = (
    "Paper: section 5",
    "Paper: Raft",
    "Paper: Raft, 5.3",
    "RocketMQ: see there",
    "RocketMQ:QueryRoute",
    "paper: Raft, figure 2",
)


@pytest.mark.parametrize("line", WELL_FORMED)
def test_a_well_formed_source_passes(line: str) -> None:
    assert malformed_sources(line) == []


@pytest.mark.parametrize("line", MALFORMED)
def test_a_source_nobody_could_follow_is_noticed(line: str) -> None:
    assert malformed_sources(line) == [line]


# ---------------------------------------------------------------- words

GLOSSARY: dict[str, tuple[re.Pattern[str], str, tuple[str, ...], str]] = {
    # word: (pattern, what to say, where it may stand, a line that breaks it)
    "master, slave": (
        # The replication's own name and RocketMQ's status codes are no use of the words.
        re.compile(r"(?<![A-Za-z])(?<!master[_/])(?i:master|slave)s?(?![a-z]|[_/]slave|_[A-Z])"),
        "leader and follower; only stage 2's master_slave replication keeps RocketMQ's words",
        (
            "mq/proto/", "mq/registry/", "mq/broker/replication/", "mq/sim/replication/",
            # where that replication stands beside Raft
            "mq/cli/broker.py", "mq/cli/cluster.py", "mq/cli/group_watch.py", "mq/cli/promote.py",
            "mq/client/raft_views.py", "mq/rpc/admin_client.py",
            "mq/rpc/calling.py", "mq/rpc/passing.py", "mq/rpc/raft_handlers.py", "mq/server/admin.py", "mq/server/broker.py",
            "mq/server/config.py", "mq/server/core.py", "mq/server/group_admin.py", "mq/server/group_settings.py",
            "mq/server/master_watch.py", "mq/server/member.py", "mq/server/passing.py", "mq/server/promoting.py",
            "mq/server/registering.py", "mq/server/second_opinion.py", "mq/server/services.py", "mq/server/setting_aside.py",
            "mq/server/slaves_way.py", "mq/server/voters_note.py",
        ),
        "the master answers",
    ),
    "name server": (
        re.compile(r"name_?server", re.IGNORECASE),
        "registry",
        ("mq/proto/", "mq/registry/"),
        "class NameServer",
    ),
    "partition of a topic": (
        re.compile(r"(?:topic|queue)[_ ]partition|partition_id", re.IGNORECASE),
        "message queue: (topic, broker, queue id)",
        (),
        "topic partition",
    ),
}  # fmt: skip


@pytest.mark.parametrize("word", GLOSSARY)
def test_the_words_are_those_of_the_glossary(word: str) -> None:
    wrong, instead, allowed, example = GLOSSARY[word]
    assert wrong.search(example), "the rule does not find what it is for"
    found = [
        f"{name}:{number}: {line.strip()[:100]}"
        for name in sources("mq")
        if not name.startswith(allowed)
        for number, line in enumerate((text_of(name) or "").split("\n"), 1)
        if wrong.search(line)
    ]
    assert found == [], f"say: {instead}"


def badly_named_errors(tree: ast.Module) -> list[str]:
    """Exception classes whose name does not end in Error, or is a built-in's."""
    bad = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            bases = [ast.unparse(base).split(".")[-1] for base in node.bases]
            is_error = any(base.endswith(("Error", "Exception")) for base in bases)
            if is_error and (not node.name.endswith("Error") or node.name in dir(__builtins__)):
                bad.append(node.name)
    return bad


def test_errors_end_in_error_and_shadow_nothing() -> None:
    assert {name: bad for name in sources("mq", "tools") if (bad := badly_named_errors(tree_of(name)))} == {}
    assert badly_named_errors(ast.parse("class TooFull(Exception): ...")) == ["TooFull"]


def test_every_module_of_the_product_names_what_it_exports() -> None:
    def names_exports(tree: ast.Module) -> bool:
        return any(isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__" for node in tree.body)

    names = [name for name in sources("mq") if not name.endswith(("__init__.py", "__main__.py"))]
    assert names
    assert [name for name in names if not names_exports(tree_of(name))] == []


# ---------------------------------------------------------------- tests

CHECKS = re.compile(r"assert|raises|check|expect|verify|warns|held_against", re.IGNORECASE)


def cases_of(name: str) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in functions_of(tree_of(name)) if node.name.startswith("test_"))


def test_every_test_checks_something() -> None:
    cases = {
        f"{name}:{node.name}": "\n".join(map(ast.unparse, node.body)) for name in sources("tests") for node in cases_of(name)
    }
    assert len(cases) > 50
    held_against("test without a check", {case for case, body in cases.items() if not CHECKS.search(body)})


def test_no_test_sleeps_and_hopes() -> None:
    sleeping = re.compile(r"(?<!asyncio\.)\bsleep\((?!0\))")
    names = [name for name in sources("tests") if name != THIS]
    held_against(
        "sleep in a test",
        {f"{name}:{node.name}" for name in names for node in cases_of(name) if sleeping.search(ast.unparse(node))},
    )
    assert sleeping.search("time.sleep(1)")
