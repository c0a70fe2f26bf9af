"""`mq chaos`."""

import os
import platform
import random
import shutil
import subprocess
from pathlib import Path
from typing import Any

import click

from mq.cli.failing import tidy_end
from mq.cli.options import Number, WholeNumber, backend_options, image_given, parts_given, parts_option
from mq.cli.output import note, print_line

__all__ = ["chaos_command"]

_SEED_MAX = 1 << 31


@click.group("chaos", invoke_without_command=True)
@click.option("--dir", "folder", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="Where all of it is kept.")
@click.option("--seed", type=WholeNumber(0), help="Of the faults and of the clients.  [default: a new one]")
@click.option(
    "--seconds",
    type=Number(1),
    default=60.0,
    show_default=True,
    help="So long there are faults; all of it takes about twice as long.",
)
@click.option("--nodes", type=WholeNumber(3, 7), help="Of a cluster that is not there yet.  [default: 3]")
@backend_options("What nodes of a cluster that is not there yet run in.  [default: local]")
@click.option(
    "--only", "kinds", multiple=True, metavar="KIND[=WEIGHT]", help="Only faults of this kind, such as kill; can be repeated."
)
@click.option(
    "--report", "report_file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="The report, as text."
)
@parts_option
@click.option("--keep", "is_kept", is_flag=True, help="Keep the folder also when all went well.")
@click.pass_context
def chaos_command(context: click.Context, /, folder: Path | None, report_file: Path | None, **wanted: Any) -> int:
    """Break a cluster in all ways, under load, and judge what clients saw and what the nodes did.

    A cluster that runs in DIR, of processes or containers, is used as it is: all its nodes have to run, three or more, and
    nothing may be cut; one without a proxy (--direct) needs --only with kinds that cut nothing. Else one is made there, for
    this run; DIR is new then, or of an earlier run. What clients saw and the traces of the nodes stay in DIR when something
    did not hold: `mq chaos judge DIR` judges them again.
    """
    if context.invoked_subcommand is not None:
        return 0
    if folder is None:
        raise click.UsageError("--dir: a folder is needed")
    from mq.chaos.run import ChaosPlan, run_chaos  # noqa: PLC0415 - not needed for --help
    from mq.cluster.opening import backend_of  # noqa: PLC0415

    seed = random.SystemRandom().randrange(_SEED_MAX) if wanted["seed"] is None else wanted["seed"]
    is_new = not folder.exists()
    if report_file is not None:
        _check_report(report_file, folder, is_folder_removed=is_new and not wanted["is_kept"])
    note(f"seed {seed}, {wanted['seconds']:g} s, in {folder}")
    plan = ChaosPlan(
        folder=folder, seed=seed, seconds=wanted["seconds"], nodes=wanted["nodes"], backend=wanted["backend"],
        image=image_given(backend_of(folder, wanted["backend"]), wanted["image"]), weights=_weights(wanted["kinds"]), tell=note,
        parts=parts_given(wanted["parts"]),
    )  # fmt: skip
    with tidy_end():
        run_chaos(plan)
    note("the run is over; what clients saw is judged")
    is_good = _judge(folder, report_file, seed)
    if is_good and is_new and not wanted["is_kept"]:
        from mq.cluster.opening import cluster_in  # noqa: PLC0415

        cluster_in(folder).remove()
        shutil.rmtree(folder)
        note(f"all held, so {folder} was removed (--keep keeps it)")
    else:
        note(f"what the run left stays in {folder}: what was stored, the history, logs and traces")
    return 0 if is_good else 1


def _check_report(file: Path, folder: Path, *, is_folder_removed: bool) -> None:
    """Now, and not after a run. Raises: click.BadParameter."""
    is_inside = file.resolve().is_relative_to(folder.resolve())
    if is_inside and is_folder_removed:
        raise click.BadParameter(
            f"{file} is in {folder}, which is removed when all held; give another place, or --keep", param_hint="--report"
        )
    if not is_inside and not file.resolve().parent.is_dir():
        raise click.BadParameter(f"there is no folder {file.resolve().parent}", param_hint="--report")


@chaos_command.command("judge")
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option(
    "--report", "report_file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="The report, as text."
)
@click.option("--trace", "trace_file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="All traces as one, for `python -m mq.sim.spacetime`.")  # fmt: skip
def _judge_again(folder: Path, report_file: Path | None, trace_file: Path | None) -> int:
    """Judge again what a run left in FOLDER."""
    if trace_file is not None:
        from mq.chaos.merging import write_trace  # noqa: PLC0415
        from mq.chaos.report import TRACES  # noqa: PLC0415

        write_trace(sorted((folder / TRACES).glob("*.trace")), trace_file)
    return 0 if _judge(folder, report_file, None) else 1


def _weights(kinds: tuple[str, ...]) -> dict[str, int]:
    from mq.chaos.plan import WEIGHTS  # noqa: PLC0415

    found = {}
    for text in kinds:
        kind, equals, weight = text.partition("=")
        if kind not in WEIGHTS or (equals and not weight.isdecimal()):
            raise click.BadParameter(f"{text!r} is not KIND or KIND=WEIGHT; there are {', '.join(WEIGHTS)}", param_hint="--only")
        found[kind] = int(weight) if equals else 1
    if found and not any(found.values()):
        raise click.BadParameter("all weights are 0, so there is no fault to be played", param_hint="--only")
    return found or dict(WEIGHTS)


def _judge(folder: Path, report_file: Path | None, seed: int | None) -> bool:
    from mq.chaos.report import HISTORY, judge_run  # noqa: PLC0415
    from mq.cluster.errors import ClusterError  # noqa: PLC0415

    if not (folder / HISTORY).exists():
        raise ClusterError(f"{folder} holds no run of `mq chaos` that began: there is no {HISTORY} in it")
    report = judge_run(folder)
    head = [f"seed {seed}" if seed is not None else f"of {folder}", f"commit {_commit()}", _machine(), *_organs(folder)]
    text = "chaos: " + "; ".join(head) + "\n" + report.to_text()
    if not report.is_good:
        text += f"{len(report.failed)} things did not hold; again: mq chaos judge {folder}\n"
    print_line(text.rstrip())
    if report_file is not None:
        report_file.write_text(text, encoding="utf-8")
    return report.is_good


def _organs(folder: Path) -> list[str]:
    """Whose organs ran, where they were not ours."""
    from mq.cluster.files import ClusterFile  # noqa: PLC0415

    parts = ClusterFile.read(folder.resolve()).parts if ClusterFile.exists(folder.resolve()) else {}
    return [f"{node} with organs of {place}" for node, place in sorted(parts.items())]


def _machine() -> str:
    return f"{platform.system()} {platform.release()}, {os.cpu_count()} processors, Python {platform.python_version()}"


def _commit() -> str:
    """Of this program, if it is a checkout."""
    git = shutil.which("git")
    if git is None:
        return "unknown"
    root = Path(__file__).parent.parent
    found = [
        subprocess.run([git, "-C", str(root), *words], capture_output=True, text=True, check=False).stdout.strip()
        for words in (("rev-parse", "--short", "HEAD"), ("status", "--porcelain", "--untracked-files=no", "."))
    ]
    return (found[0] or "unknown") + (", with changes" if found[1] else "")
