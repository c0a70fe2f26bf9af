"""Links in a text that lead nowhere, where a file is not given out."""

import re
from collections.abc import Iterable
from pathlib import PurePosixPath
from posixpath import normpath

__all__ = ["without_dead_links"]

_LINK = re.compile(r"`[^`]*`|!?\[([^\[\]]+)\]\(([^()\s]+)\)")
"""Or code, in which brackets are no link. (What a link says may be code.)"""
_ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:|#|/")
"""How a link begins that leads to no file beside this one."""


def without_dead_links(text: str, place: str, there: Iterable[str]) -> str:
    """A text in Markdown, in which a link to a file that is not there is what it says, and no link.

    place: the text's own file. there: all files, from the same folder. One to a folder that holds any of them stays.
    """
    known = {str(folder) for name in there for folder in (PurePosixPath(name), *PurePosixPath(name).parents)}
    folder = PurePosixPath(place).parent

    def mended(link: re.Match[str]) -> str:
        said, target = link[1], link[2]
        if said is None or _ELSEWHERE.match(target) or normpath(f"{folder}/{target.partition('#')[0]}") in known:
            return link[0]
        return said

    return _LINK.sub(mended, text)
