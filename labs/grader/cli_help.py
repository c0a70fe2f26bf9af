"""What the help of `mq lab` shows to whom: first what students use, then what is for teachers, and to students only theirs."""

from collections.abc import Sequence

import click

from labs.grader.lab import is_for_students

__all__ = ["CommandsOfLabs", "GradeCommand"]

_LINE_CHARS = 120
"""A command's first sentence is shown whole, in two lines if need be."""
_OF_A_CLASS = "Grade a folder of submissions, or one for marks: see its help."


class CommandsOfLabs(click.Group):
    """Two lists of commands. A repository for students shows the first one alone."""

    of_teachers = ("release", "zip")

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """In the order in which they are used."""
        return [name for name in self.commands if not (name in self.of_teachers and is_for_students())]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Called by click."""
        rows = {name: self.commands[name].get_short_help_str(_LINE_CHARS) for name in self.list_commands(ctx)}
        with formatter.section("Commands"):
            formatter.write_dl([(name, told) for name, told in rows.items() if name not in self.of_teachers])
        if not is_for_students():
            with formatter.section("For teachers"):
                formatter.write_dl([("grade", _OF_A_CLASS), *((name, rows[name]) for name in self.of_teachers)])


class GradeCommand(click.Command):
    """`mq lab grade`, whose options for marks and for a class are listed by themselves."""

    of_teachers = ("key_file", "is_container", "jobs", "is_again", "policy")

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Called by click."""
        params = [param for param in self.get_params(ctx) if isinstance(param, click.Option)]
        self._write("Options", [one for one in params if one.name not in self.of_teachers], ctx, formatter)
        if is_for_students():
            return
        self._write("For teachers", [one for one in params if one.name in self.of_teachers], ctx, formatter)
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(
                "PATH may be a folder of submissions: then all are graded, some at once, and what was graded before is left"
                " alone, so that it can be stopped and goes on."
            )

    @staticmethod
    def _write(heading: str, params: Sequence[click.Parameter], ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section(heading):
            formatter.write_dl([record for one in params if (record := one.get_help_record(ctx)) is not None])
