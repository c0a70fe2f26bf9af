"""An organ's class, loaded into this process: for tests of the tests, long runs, and students at home. Nothing is graded so."""

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from mq.core.errors import IllegalArgumentError
from mq.parts import module_of

__all__ = ["organ_in"]


def organ_in(where: Path, file: str, name: str) -> Any:
    """The class of that name. where: a Python file, or a student's folder in which it stands in `file`.

    Raises: IllegalArgumentError, in a sentence.
    """

    def told(error: BaseException) -> str:
        return f"{where} cannot be imported: {type(error).__name__}: {error}"

    if where.is_file():
        module = module_of(where, f"organ_{where.stem}", told=told)
    elif (where / file).is_file() and (where / "__init__.py").is_file():
        module_of(where / "__init__.py", f"door_{where.stem}", told=told)
        package = next(name for name, found in sys.modules.items() if getattr(found, "__path__", None) == [str(where.resolve())])
        try:
            module = import_module(f"{package}.{file.removesuffix('.py')}")
        except (Exception, SystemExit) as error:
            raise IllegalArgumentError(told(error)) from error
    else:
        raise IllegalArgumentError(f"there is no {file} with an __init__.py beside it in {where}")
    organ = getattr(module, name, None)
    if not isinstance(organ, type):
        raise IllegalArgumentError(f"{where} has no class {name}")
    return organ
