# %% [markdown]
# # RaftMQ: learn distributed systems by building a message queue
#
# You build, piece by piece, what you use: a broker that keeps what it promised, a registry that finds it, a group of
# brokers that survives the death of any one. Each **lesson** is a notebook like this one: you read, predict, run, and break
# it by changing one line. Each **lab** asks you to write one organ of the broker yourself; a grader tries to break it, and
# explains what it found. At the end of a lab your organ drives the real broker, and the official RocketMQ client talks to
# it.
#
# **How to go on:** in the order of the arrows: lab 0, lessons 0 and 1, lab 1a, lesson 2, lab 1b, lesson 3, labs 1c and 1d,
# lessons 4, 10 and 11, lab 3a, lessons 12 and 13, lab 3b, lesson 14, lab 3c, lesson 15, labs 3d and 3e, lesson 16, lab 3f.
# Lab 0 takes an hour, and begins in a terminal: `mq lab start lab0`. A lesson opens with a click, below. In a notebook,
# Shift + Enter runs a cell and moves to the next. All that a lesson starts, it stops again.

# %% tags=["picture"]
from IPython.display import Markdown, display

from lessons.course_map import draw_map, lesson_links, progress

draw_map()

# %% [markdown]
# ## The lessons

# %% tags=["picture"]
display(Markdown(lesson_links()))

# %% [markdown]
# ## The labs, and how far you are
#
# Run this cell again (click on it, then Shift + Enter) after you have worked on a lab. Commands are typed into a terminal:
# *File → New → Terminal* opens one here, in which `mq` is found. In any other terminal, go into the folder of this course
# and say `.venv/bin/mq` (Windows: `.venv\Scripts\mq`).

# %% tags=["picture"]
display(Markdown(progress()))

# %% [markdown]
# ## When something does not work
#
# * A cell shows `[*]` and does not end: *Kernel → Interrupt*, then run it again. A lesson's programs end with its kernel:
#   *Kernel → Restart* begins anew.
# * A picture is missing: run the cell above it. In a notebook that JupyterLab does not trust yet, pictures are shown, and
#   moving ones are not; `python3 run.py course` trusts all notebooks of the course.
# * Anything else: `python3 run.py doctor`, in a terminal in the folder of this course, says what this machine lacks.
# * Words that are new to you are in [the glossary](../docs/glossary.md).
