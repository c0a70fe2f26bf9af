"""What the commands of `mq lab` take."""

import click

from labs.grader.lab import Lab, LabError, find_lab

__all__ = ["LabType", "lab_argument"]


class LabType(click.ParamType[Lab]):
    """A lab by its name, long or short."""

    name = "lab"

    def convert(self, value: Lab | str, param: click.Parameter | None, ctx: click.Context | None) -> Lab:
        try:
            return value if isinstance(value, Lab) else find_lab(value.lower())
        except LabError as error:
            self.fail(str(error), param, ctx)


lab_argument = click.argument("lab", type=LabType())
