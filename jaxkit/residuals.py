"""What reverse mode keeps: the arrays that a backward pass reads, and why it does.

The linear program of a function has them: its residuals.  Each is read by an equation,
which knows the primitive whose derivative it is, and the user's line; an operator that
runs code (a loop, a call, a conditional) hands it on to an equation inside.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import jax

from jaxkit.arithmetic import linearize_flat
from jaxkit.border.arguments import check_callable
from jaxkit.border.flat import Flat, arguments, as_leaves
from jaxkit.border.messages import leaf_name
from jaxkit.border.tracebacks import entry
from jaxkit.drawing import Arrow, Box, Graph, svg, table, write
from jaxkit.program import UNTRACED, Code, LinearProgram, Residual
from jaxkit.tracing import NO_LINE, typeof, user_line

COLUMNS = "bytes", "type", "what it is", "read by", "line"


class Array(NamedTuple):
    """An array that the backward pass reads.

    Attributes:
        shape: of all of it; in a loop with an entry for each step that is kept.
        dtype: of its entries.
        bytes: of all of it.
        argument: the name of the argument that it is, or "".
        what: the same; of an array of a loop, of what it has entries: "512 steps",
            "64 states", or that it is "bookkeeping".
        primitive: whose derivative reads it.
        line: where in the user's code that is (`file:line (function)`).
        others: how many further ones read it.
    """

    shape: tuple[int, ...]
    dtype: str
    bytes: int
    argument: str
    what: str
    primitive: str
    line: str
    others: int

    @property
    def steps(self) -> int | None:
        """Of how many steps of a loop it has an entry each, if it does."""
        number, _, of = self.what.partition(" ")
        return int(number) if of in ("step", "steps") else None


class Residuals:
    """The arrays that the backward pass of a function keeps, the largest first.

    Printed it is a table; `json()` and `svg()` are the same as data and as a picture,
    and `save("file.svg")` writes one of the three.

    Attributes:
        arrays: a list of `Array`.
        total: the bytes of all.
        made: the bytes of those that aren't arguments.
    """

    def __init__(self, arrays: list[Array]):
        self.arrays = sorted(arrays, key=lambda x: -x.bytes)
        self.total = sum(x.bytes for x in arrays)
        self.made = sum(x.bytes for x in arrays if not x.argument)

    def __iter__(self) -> Iterator[Array]:
        return iter(self.arrays)

    def __len__(self):
        return len(self.arrays)

    def __str__(self):
        rows = [COLUMNS, *map(_cells, self.arrays)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join([row[0].rjust(widths[0]), *map(str.ljust, row[1:], widths[1:])])
            for row in rows
        ]
        return "\n".join([*map(str.rstrip, lines), self._end()])

    __repr__ = __str__

    def json(self) -> str:
        arrays = [x._asdict() for x in self.arrays]
        return json.dumps({"total": self.total, "made": self.made, "arrays": arrays})

    def graph(self) -> Graph:
        """Each array, and an arrow to the operation whose derivative reads it."""
        found = Graph()
        readers: dict[tuple[str, str], str] = {}
        for i, x in enumerate(self.arrays):
            kind = "input" if x.argument else "operation"
            what = x.argument or _type(x)
            lines = (f"{size(x.bytes)} of {size(self.total)}",)
            found.boxes.append(Box(f"a{i}", what, lines, kind))
            reader = readers.setdefault((x.primitive, x.line), f"r{len(readers)}")
            found.arrows.append(Arrow(f"a{i}", reader))
        for (primitive, line), name in readers.items():
            where = Path(line.split(" ")[0]).name
            found.boxes.append(Box(name, primitive, (where,), "output"))
        return found

    def svg(self) -> str:
        return svg(self.graph(), "what the backward pass keeps, and what reads it")

    def save(self, path: str | Path) -> None:
        """Write a file, in the format that its name ends with.

        Raises:
            ValueError: it ends with none of .svg, .json, .txt.
        """
        write(path, {".svg": self.svg, ".json": self.json, ".txt": self.__str__})

    def _repr_mimebundle_(self, include=None, exclude=None):
        shown = {"text/plain": str(self), "image/svg+xml": self.svg()}
        return shown | {"text/html": self._repr_html_()}

    def _repr_html_(self):
        return table([COLUMNS, *map(_cells, self.arrays)], self._end())

    def _end(self):
        return f"{size(self.total)} in all, {size(self.made)} of them not in arguments"


def residuals(fun: Callable) -> Callable[..., Residuals]:
    """What `vjp(fun, *args)` keeps for its backward pass: `residuals(fun)(*args)`.

    Args:
        fun: a function of arrays, or pytrees of arrays, to a pytree of arrays.

    Returns:
        A function of the same arguments, arrays or `jax.ShapeDtypeStruct`s (those by
        keyword aren't differentiated), that returns `Residuals`.  It is traced, and
        nothing is computed, unless Python's control flow depends on values.

    Example:

        >>> print(residuals(lambda w, x: jnp.tanh(w @ x))(w, x))

    Source: A. Griewank, A. Walther, Evaluating Derivatives (2008), ch. 4.
    """
    check_callable("residuals", fun, "residuals(f)(x)")

    @entry
    def of(*args, **kwargs) -> Residuals:
        found = []
        called = user_line()
        kept = partial(_of, lambda *args: fun(*args, **kwargs), called)
        _check(args)
        try:
            jax.eval_shape(lambda *args: found.append(kept(args)), *args)
        except UNTRACED:  # Python asks for values
            return kept(args)
        return found[0]

    return of


def _check(args) -> None:
    """Raise TypeError for what is neither an array nor the type of one."""
    for i, x in enumerate(jax.tree.leaves(args)):
        if not hasattr(x, "dtype"):
            as_leaves("residuals", x, [(leaf_name([("argument", args)], i), x)])


def _of(fun, called: str, args) -> Residuals:
    leaves, space = arguments("residuals", args)
    flat = Flat("residuals", lambda args: fun(*args), space.tree, has_aux=False)
    _, program, _ = linearize_flat(flat, leaves)
    names = [leaf_name([("argument", args)], i) for i in range(len(leaves))]
    return Residuals(list(arrays(program.prune(), leaves, names, called)))


def arrays(program: LinearProgram, leaves, names, called: str) -> Iterator[Array]:
    """Of each residual what it is; leaves are the arguments, which have these names.

    `called` is the user's line that called the function: that of what he didn't write.
    """
    of_argument = {id(x): name for x, name in zip(leaves, names, strict=True)}
    for i, x in enumerate(program.residuals):
        readers = dict.fromkeys(reading(program.code, i))
        aval = typeof(x)
        bytes = math.prod(aval.shape) * aval.dtype.itemsize
        primitive, line, entries = next(iter(readers), ("", "", ""))
        line = called if line == NO_LINE else line
        argument = of_argument.get(id(x), "")
        parts = aval.shape, str(aval.dtype), bytes, argument, argument or entries
        yield Array(*parts, primitive, line, max(len(readers) - 1, 0))


class Reader(NamedTuple):
    """What reads a residual: the primitive, the user's line, and of what there is one.

    `entries` says what there is in it, if it is of a loop, the outermost one.
    """

    primitive: str
    line: str
    entries: str


def reading(code: Code, i: int) -> Iterator[Reader]:
    """Those that read the residual of this number."""
    for eqn in code.equations:
        for place, x in enumerate(eqn.operands):
            if type(x) is not Residual or x.index != i:
                continue
            name = str(getattr(eqn.primitive, "name", eqn.primitive))
            here = Reader(name, eqn.line, "")
            inside = getattr(eqn.operator, "inside", None)
            if inside is None:
                yield here
                continue
            params = {k: v for k, v in eqn.params.items() if k != "kept"}
            entries = eqn.operator.entries(place, params)
            found = [
                x._replace(entries=entries or x.entries)
                for code, number in inside(place, **params)
                for x in reading(code, number)
            ]
            yield from found or [Reader(name, eqn.line, entries)]


def _cells(x: Array) -> tuple[str, ...]:
    more = f", and {x.others} more" if x.others else ""
    file, _, rest = x.line.partition(":")
    line = Path(file).name + (rest and f":{rest}")
    return size(x.bytes), _type(x), x.what, x.primitive + more, line


def _type(x: Array) -> str:
    return f"{x.dtype}[{','.join(map(str, x.shape))}]"


def size(bytes: int) -> str:
    """Bytes in three digits: 512 B, 12.5 kB, 3.1 MB."""
    power = min(max(len(str(bytes)) - 1, 0) // 3, 3)
    return f"{bytes / 1000**power:.3g} {('B', 'kB', 'MB', 'GB')[power]}"
