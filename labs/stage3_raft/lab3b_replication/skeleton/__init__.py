"""The files of this folder are imported as `lab3b_replication`, wherever the folder lies. Nothing to be done here.

`mq broker --parts FOLDER` loads each file by itself; this one comes first, and lets the others find each other.
"""

if __name__ != "lab3b_replication":
    import sys
    from pathlib import Path
    from types import ModuleType

    for name in [name for name in sys.modules if name.partition(".")[0] == "lab3b_replication"]:
        del sys.modules[name]
    sys.modules["lab3b_replication"] = package = ModuleType("lab3b_replication")
    package.__path__ = [str(Path(__file__).resolve().parent)]
