"""What is drawn: boxes with lines of text, and arrows from box to box."""

from __future__ import annotations

from dataclasses import dataclass, field

KINDS = "input", "const", "operation", "output"


@dataclass(frozen=True)
class Box:
    """A box: a title, and lines of text below it.

    `kind` is one of `KINDS`, and gives it its colour; `current` marks it, and what is
    `faint` is there, and not used.
    """

    name: str
    title: str
    lines: tuple[str, ...] = ()
    kind: str = "operation"
    current: bool = False
    faint: bool = False


@dataclass(frozen=True)
class Arrow:
    """An arrow between two boxes, by their names, with a label or none."""

    start: str
    end: str
    label: str = ""
    faint: bool = False


@dataclass
class Graph:
    """Boxes, each before those that its arrows lead to, and arrows."""

    boxes: list[Box] = field(default_factory=list)
    arrows: list[Arrow] = field(default_factory=list)
