"""What is known of a sparse derivative before it is computed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from scipy.sparse import csr_array

from jaxkit.drawing import write
from jaxkit.passes import passes, rows
from jaxkit.program import LinearProgram
from jaxkit.residuals import size
from jaxkit.rules.spreads import Pattern
from jaxkit.sparse import colouring
from jaxkit.sparse.colouring import FEW, NONE, count, most_in_a_row, often
from jaxkit.sparse.recovery import (
    Direct,
    Substituted,
    direct,
    mirrored,
    substitution,
)

SMALL = 40  # rows, or columns, that are printed
# Colours that colour-blind readers tell apart (Okabe and Ito), and lighter ones.
COLOURS = "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c959f"


class Sparsity:
    """Where a Jacobian, or a Hessian, isn't zero.

    Printed it is a table of crosses, or a line if it is large; `svg()` is a picture.

    Attributes:
        matrix: a `scipy.sparse.csr_array` of booleans, with a row for each number that
            comes out, and a column for each that goes in.
        where: "global", at every input, or "local", at one: for others it may differ.
    """

    def __init__(self, matrix: Pattern, where: str):
        self.matrix: Pattern = csr_array(matrix, dtype=bool)
        self.where = where
        self.matrix.sum_duplicates()  # and sorts

    @property
    def shape(self) -> tuple[int, int]:
        return self.matrix.shape

    @property
    def nnz(self) -> int:
        """How many entries may differ from zero."""
        return self.matrix.nnz

    def __str__(self):
        if max(self.shape) > SMALL:
            return self._line()
        rows = [
            " ".join("x" if x else "." for x in row) for row in self.matrix.toarray()
        ]
        return "\n".join([*rows, self._line()])

    __repr__ = __str__

    def _line(self) -> str:
        n, m = self.shape
        part = 100 * self.nnz / max(n * m, 1)
        holds = "at every input" if self.where == "global" else "at this input"
        return f"{n} x {m}, {self.nnz} entries ({part:.3g} %), {holds}"

    def svg(self) -> str:
        """A picture: a square for each entry."""
        return drawn(self.matrix, ["#0072b2"] * self.nnz, self._line())

    def _repr_html_(self):
        return self.svg()

    def save(self, path: str | Path) -> None:
        """Write a picture, or a text.

        Raises:
            ValueError: the path ends with neither .svg nor .txt.
        """
        write(path, {".svg": self.svg, ".txt": self.__str__})


def drawn(matrix: Pattern, colours: list[str], title: str) -> str:
    """A square for each entry, at most 600 points wide; rows go down."""
    n, m = matrix.shape
    side = min(14.0, 600 / max(m, n, 1))
    row, column = matrix.tocoo().coords
    width, height = m * side, n * side
    squares = [
        f'<rect x="{j * side:.4g}" y="{i * side:.4g}" width="{side * 0.9:.4g}" '
        f'height="{side * 0.9:.4g}" fill="{colour}"/>'
        for i, j, colour in zip(row.tolist(), column.tolist(), colours, strict=True)
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-1 -1 {width + 2:.0f} '
        f'{height + 2:.0f}" width="{width + 2:.0f}" height="{height + 2:.0f}" '
        f'role="img"><title>{escape(title)}</title><rect x="-1" y="-1" '
        f'width="{width + 2:.0f}" height="{height + 2:.0f}" fill="#ffffff" '
        f'stroke="#8c959f"/>{"".join(squares)}</svg>'
    )


@dataclass(frozen=True, eq=False)
class Plan:
    """How a sparse derivative is computed: by which passes, and what they take.

    Printed it says so; `svg()` is a picture of the pattern, in the colours of passes.

    Attributes:
        pattern: its `Sparsity`.
        recovery: how entries are had from what the passes return.
        rows, columns: the colour of each, a backward pass for each of rows, a forward
            pass for each of columns; -1 for none.
        by_column: of each entry whether it is had from its column.
        itemsize: the bytes of a number.
    """

    pattern: Sparsity
    recovery: Direct | Substituted
    rows: np.ndarray
    columns: np.ndarray
    by_column: np.ndarray
    itemsize: int

    @property
    def forward(self) -> int:
        """How many passes forward it takes."""
        return count(self.columns)

    @property
    def reverse(self) -> int:
        """How many passes backward it takes."""
        return count(self.rows)

    def entries(
        self, program: LinearProgram, chunk_size: int | None = None
    ) -> jax.Array:
        """Those of the matrix of a program, in the pattern's order, from its passes."""
        ins = [v.aval for v in program.code.inputs]
        outs = [v.aval for v in program.code.outputs]
        dtype = jnp.result_type(*[x.dtype for x in (*ins, *outs)])
        found = [jnp.zeros(0, dtype)]
        if self.forward:
            pushed = passes(program.apply, ins, self.columns, chunk_size)
            found.append(rows(pushed, outs, self.forward, dtype).ravel())
        if self.reverse:
            pulled = passes(program.transpose, outs, self.rows, chunk_size)
            found.append(rows(pulled, ins, self.reverse, dtype).ravel())
        return self.recovery(jnp.concatenate(found))

    def dense(self, entries: jax.Array) -> jax.Array:
        """The whole matrix."""
        row, column = self.indices.T
        zeros = jnp.zeros(self.pattern.shape, entries.dtype)
        return zeros.at[row, column].set(
            entries, indices_are_sorted=True, unique_indices=True
        )

    @cached_property
    def indices(self) -> jax.Array:
        """Row and column of each entry, of shape (entries, 2)."""
        with jax.ensure_compile_time_eval():  # it outlives what is traced now
            return jnp.stack(
                list(map(jnp.int32, self.pattern.matrix.tocoo().coords)), 1
            )

    @cached_property
    def bytes(self) -> dict[str, int]:
        """Of what the passes return, of the entries, and of the dense matrix."""
        n, m = self.pattern.shape
        passes = self.forward * n + self.reverse * m
        return {
            "passes": passes * self.itemsize,
            "entries": self.pattern.nnz * self.itemsize,
            "dense": n * m * self.itemsize,
        }

    def __str__(self):
        passes = [
            f"{number} {way}"
            for number, way in ((self.forward, "forward"), (self.reverse, "backward"))
            if number
        ]
        how = (
            "by substitution" if isinstance(self.recovery, Substituted) else "directly"
        )
        bytes = self.bytes
        return (
            f"{self.pattern._line()}\n"
            f"passes: {' and '.join(passes) or 'none'}; entries are had {how}\n"
            f"passes return {size(bytes['passes'])}, entries take "
            f"{size(bytes['entries'])}, the dense matrix {size(bytes['dense'])}"
        )

    __repr__ = __str__

    def svg(self) -> str:
        """The pattern, each entry in the colour of the pass that gives it."""
        row, column = self.pattern.matrix.tocoo().coords
        of_row = self.forward + self.rows[row]
        found = np.where(self.by_column, self.columns[column], of_row)
        colours = [COLOURS[i % len(COLOURS)] for i in found.tolist()]
        return drawn(self.pattern.matrix, colours, str(self))

    def _repr_html_(self):
        return self.svg()


def jacobian_plan(pattern: Sparsity, mode: str, itemsize: int) -> Plan:
    """By columns, rows, or both; "auto": whichever takes the fewest passes."""
    matrix, entries, auto = pattern.matrix, pattern.nnz, mode == "auto"
    none = np.full(matrix.shape[0], NONE), np.full(matrix.shape[1], NONE)
    # No fewer colours do than a full row, or column, has entries.
    least = most_in_a_row(matrix), most_in_a_row(matrix.T.tocsr())
    # Where some rows and columns are full, and others nearly empty, both do better.
    usual = often(matrix)
    full = min(least) > usual
    plans = []
    if mode == "both" or (auto and full):
        plans.append(colouring.both(matrix))
    if mode == "forward" or (auto and least[0] <= _fewest(plans)):
        found = colouring.columns(matrix)
        plans.append((none[0], found, np.ones(entries, bool)))
    if mode == "reverse" or (auto and least[1] < _fewest(plans)):
        found = colouring.rows(matrix)
        plans.append((found, none[1], np.zeros(entries, bool)))
    if auto and not full and (entries <= FEW or _fewest(plans) > usual):
        plans.append(colouring.both(matrix))
    rows, columns, by_column = min(plans, key=lambda x: (_passes(x), count(x[0])))
    recovery = direct(matrix, rows, columns, by_column)
    return Plan(pattern, recovery, rows, columns, by_column, itemsize)


def _passes(plan) -> int:
    rows, columns, _ = plan
    return count(rows) + count(columns)


def _fewest(plans) -> float:
    return min(map(_passes, plans), default=np.inf)


def hessian_plan(
    pattern: Sparsity, recovery: str, itemsize: int, pass_cost: int = 0
) -> Plan:
    """By a star colouring, or an acyclic one; "auto": the quicker one, by estimate.

    The pattern may lack what its transpose has: an entry is had from either.
    """
    pattern = Sparsity(pattern.matrix + pattern.matrix.T, pattern.where)
    matrix = pattern.matrix
    rows, by_column = np.full(matrix.shape[0], NONE), np.ones(matrix.nnz, bool)
    plans = []
    if recovery in ("auto", "direct"):
        colours, hub = colouring.star(matrix)
        found = mirrored(matrix, colours, hub)
        plans.append((count(colours) * pass_cost, found, colours))
    if recovery in ("auto", "substitution"):
        colours = colouring.acyclic(matrix)
        found = substitution(matrix, colours)
        plans.append((count(colours) * pass_cost + found.cost, found, colours))
    _, found, columns = min(plans, key=lambda x: x[0])
    return Plan(pattern, found, rows, columns, by_column, itemsize)
