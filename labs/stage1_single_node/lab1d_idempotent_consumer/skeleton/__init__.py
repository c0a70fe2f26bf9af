"""The files of this folder are imported as `lab1d_idempotent_consumer`, wherever the folder lies. Nothing to be done here.

`mq broker --parts FOLDER` loads each file by itself; this one comes first, and lets the others find each other.
"""

if __name__ != "lab1d_idempotent_consumer":
    import sys
    from pathlib import Path
    from types import ModuleType

    for name in [name for name in sys.modules if name.partition(".")[0] == "lab1d_idempotent_consumer"]:
        del sys.modules[name]
    sys.modules["lab1d_idempotent_consumer"] = package = ModuleType("lab1d_idempotent_consumer")
    package.__path__ = [str(Path(__file__).resolve().parent)]
