"""The grader: a trusted side that owns disks, seeds, checkers and marks, and a process that holds a student's code alone."""
