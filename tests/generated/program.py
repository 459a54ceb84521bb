"""A program is data, and its source is the one reading of it.

def f(v0, v1):
    v2 = lax.sin(v0)
    def body3(v4):
        v5 = v4 * v2
        return (v5,)
    (v6,) = leaves(jax.jit(body3)(v1))
    return {"a": v2, "b": (v6,)}
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from textwrap import indent
from typing import Any

import numpy as np

from tests.generated import prelude
from tests.generated.operations import Operation


@dataclass(frozen=True)
class Type:
    """A dtype by its short name, a shape, and whether the dtype gives way to others."""

    dtype: str
    shape: tuple[int, ...] = ()
    weak: bool = False

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return int(np.prod(self.shape))


@dataclass(frozen=True)
class Var:
    """A value that has a name."""

    name: str
    type: Type

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Number:
    """A Python number in place of a value; it has the value's type in `inference`."""

    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Equation:
    """outs = operation(operands), or a structure with bodies.

    alone: whether the expression is one value, not a tree of values.
    """

    outs: tuple[Var, ...]
    operation: Operation
    operands: tuple[Any, ...]
    bodies: tuple[Body, ...] = ()
    alone: bool = True

    @property
    def source(self) -> str:
        names = [body.name for body in self.bodies]
        text = self.operation.text.format(*self.operands, f=names)
        outs = ", ".join(map(str, self.outs))
        left, right = (outs, text) if self.alone else (f"[{outs}]", f"leaves({text})")
        bodies = "".join(body.source + "\n" for body in self.bodies)
        return f"{bodies}{left} = {right}"

    def walk(self) -> Iterator[Equation]:
        """This equation, and those of its bodies."""
        yield self
        for body in self.bodies:
            for eqn in body.equations:
                yield from eqn.walk()

    def reads(self) -> list[Var]:
        """The values from outside that it reads, in its bodies too."""
        found = {x: None for x in self.operands if isinstance(x, Var)}
        for body in self.bodies:
            found |= dict.fromkeys(body.reads())
        return list(found)


@dataclass(frozen=True)
class Body:
    """A function: equations between parameters and results."""

    name: str
    params: tuple[Var, ...]
    equations: tuple[Equation, ...]
    outputs: tuple[Any, ...]

    @property
    def source(self) -> str:
        return function(self.name, self.params, self.equations, tree(self.outputs))

    def reads(self) -> list[Var]:
        made = {*self.params}
        found: dict[Var, None] = {}
        for eqn in self.equations:
            found |= dict.fromkeys(x for x in eqn.reads() if x not in made)
            made |= {*eqn.outs}
        late = (x for x in self.outputs if isinstance(x, Var) and x not in made)
        return list(found | dict.fromkeys(late))


def function(name: str, params, equations, result: str) -> str:
    lines = [eqn.source for eqn in equations] + [f"return {result}"]
    head = f"def {name}({', '.join(map(str, params))}):"
    return f"{head}\n{indent(chr(10).join(lines), '    ')}"


def tree(values) -> str:
    """A tuple of values, as text."""
    return f"({''.join(f'{x}, ' for x in values).rstrip()})"


@dataclass(frozen=True, repr=False)
class Program:
    """A function of arguments, with arguments.

    args: of each argument the text, with its values; a tree where it has several
    unpack: the lines that take these apart
    traced: whether it is run as in `jit`, or called
    primitives: the names of those that it reaches
    """

    params: tuple[str, ...]
    args: tuple[str, ...]
    unpack: tuple[str, ...]
    equations: tuple[Equation, ...]
    result: str
    stack: tuple[Any, ...] = ()
    traced: bool = True
    primitives: frozenset[str] = frozenset()

    def body_source(self) -> str:
        lines = [*self.unpack, *(eqn.source for eqn in self.equations)]
        lines.append(f"return {self.result}")
        text = indent("\n".join(lines), "    ")
        return f"def f({', '.join(self.params)}):\n{text}"

    def source(self, plain: bool = False) -> str:
        """A function from a library to the program, under the stack if not plain."""
        lines, last = [self.body_source()], "f"
        for n, level in enumerate(() if plain else self.stack, 1):
            lines.append(f"f{'_' * n} = {level.source.format(last)}")
            last = f"f{'_' * n}"
        text = indent("\n".join([*lines, f"return {last}"]), "    ")
        return f"def program(lib):\n{text}\n"

    def __str__(self) -> str:
        """A script that shows what this returns by jaxkit and by JAX."""
        args = "".join(f"    {x},\n" for x in self.args)
        return (
            f"from tests.generated.prelude import *\n\n\n{self.source()}\n\n"
            f"args = (\n{args})\nside_by_side(program, *args)"
        )

    def __repr__(self) -> str:
        return f"\n{self}\n"

    def walk(self) -> Iterator[Equation]:
        for eqn in self.equations:
            yield from eqn.walk()

    def load(self, wide: bool = False, plain: bool = False):
        """(function of a library, arguments); wide: in double precision."""
        names = namespace(wide)
        exec(compiled(self.source(plain)), names)
        args = tuple(eval(x, names) for x in self.args)
        return names["program"], args


def compiled(source: str):
    return compile(source, "<generated>", "exec")


def namespace(wide: bool = False) -> dict[str, Any]:
    names = dict(vars(prelude))
    if wide:
        names |= dict.fromkeys(("f32", "f16", "bf16"), prelude.f64)
        names |= {"c64": prelude.c128}
    return names
