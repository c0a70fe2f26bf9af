"""Which files of ours lie in the box beside a submission."""

from labs.grader.box import imports_of_files, needed_by
from labs.grader.lab import Lab

__all__ = ["files_for"]


def files_for(lab: Lab, *, with_reference: bool = False, with_sweep: bool = False) -> tuple[str, ...]:
    """What of ours lies in the box. with_reference: for our own right and wrong solutions, which are made of it.

    with_sweep: also the tests that run beside the student's code, and the model that they compare it with. Such a model does
    much of what the lab asks for; where marks are earned it is not. Raises: BoxError when what the lab gives needs what it
    asks for.
    """
    modules = {f"mq.core.{name}" for name in ("entry", "errors", "ids", "limits", "ports")}
    modules |= (
        {kind.__module__ for kind in lab.seam.classes}
        | {lab.seam.inside.partition(":")[0]}
        | ({lab.suite.sweep_module} if with_sweep else set())
    )
    if with_reference or lab.gather is not None:
        return needed_by(modules | {name.removesuffix(".py").replace("/", ".") for name in lab.files.values()}, ())
    return needed_by(modules | imports_of_files((lab.folder / "skeleton").glob("*.py")), lab.files.values())
