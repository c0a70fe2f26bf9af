"""The files of this folder are imported as `lab3f_drive_it`, wherever the folder lies. Nothing to be done here.

`mq broker --parts FOLDER` loads each file by itself; this one comes first, and lets the others find each other.
"""

if __name__ != "lab3f_drive_it":
    import sys
    from pathlib import Path
    from types import ModuleType

    for name in [name for name in sys.modules if name.partition(".")[0] == "lab3f_drive_it"]:
        del sys.modules[name]
    sys.modules["lab3f_drive_it"] = package = ModuleType("lab3f_drive_it")
    package.__path__ = [str(Path(__file__).resolve().parent)]
