"""The lessons: percent source and executed notebooks, one folder for each stage; `showing*.py` draw for them."""
