"""What a linear program consists of: operands, equations, and the code they make.

    t1 = mul t0 r0
    t2 = reduce_sum[axes=(0,)] t1
    return t2

A `Var` (t0) carries a tangent.  A `Residual` (r0) is an array that the primal
computation left behind: a cosine, a weight matrix.  A `Constant` is a number, a `Zero`
the zero of a tangent space.  In its Vars each equation is linear.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from jaxkit import tracing


@dataclass(slots=True, unsafe_hash=True, repr=False)
class Var:
    """A variable of a program: a tangent, known by its number and abstract type."""

    index: int
    aval: Any
    letter: ClassVar[str] = "t"

    def __repr__(self):
        return f"{self.letter}{self.index}"


class Residual(Var):
    """A variable whose value the program brings along."""

    __slots__ = ()
    letter = "r"


class Constant:
    """An operand that is a plain number, the same in every run of the program."""

    __slots__ = ("value",)

    def __init__(self, value: Any):
        self.value = value

    def _key(self):  # 1, 1.0 and np.float32(1) are equal, but not the same constant
        return type(self.value), repr(self.value)

    def __eq__(self, other):
        return isinstance(other, Constant) and self._key() == other._key()

    def __hash__(self):
        return hash(self._key())

    def __repr__(self):
        return str(self.value)


@dataclass(slots=True, unsafe_hash=True, repr=False)
class Zero:
    """The zero of a tangent space, where it must keep its place; it has no array."""

    aval: Any

    def __repr__(self):
        return f"0:{self.aval.str_short(short_dtypes=True)}"


Operand = Var | Constant | Zero


@dataclass(slots=True)
class Equation:
    """`outputs = operator(*operands, **params)`, linear in the operands that are Vars.

    Attributes:
        operator: a JAX primitive, or an operator of ours that runs code (`control`).
        rule: what the table says of it, its transpose for one (`rules.table.Rule`).
            It is compared by identity, so that what was compiled by a rule that was
            replaced isn't used again.
        source: the primitive whose derivative this is, and where it was called.
            Programs that differ in it alone are equal.
    """

    operator: Any
    operands: tuple[Operand, ...]
    params: dict[str, Any]
    outputs: tuple[Var, ...]
    rule: Any
    source: tuple[Any, Any] = field(compare=False)

    @property
    def primitive(self) -> Any:
        """The primitive whose derivative this equation is a part of."""
        return self.source[0]

    @property
    def line(self) -> str:
        """`file:line (function)` of the user's code that called that primitive."""
        return tracing.line_of(self.source[1]) or tracing.NO_LINE


class Code:
    """The static part of a linear program: everything but its residual arrays."""

    __slots__ = ("_hash", "equations", "inputs", "outputs")

    def __init__(self, inputs, outputs, equations):
        self.inputs: tuple[Var, ...] = tuple(inputs)
        self.outputs: tuple[Var | Zero, ...] = tuple(outputs)
        self.equations: tuple[Equation, ...] = tuple(equations)
        self._hash: int | None = None

    @property
    def residuals(self) -> list[Residual]:
        """The residuals that equations read, by number."""
        found = {
            x.index: x
            for eqn in self.equations
            for x in eqn.operands
            if type(x) is Residual
        }
        return [found[i] for i in sorted(found)]

    @property
    def cotangents(self) -> list[Any]:
        """The types of the inputs' cotangents."""
        return [tracing.cotangent_of(v.aval) for v in self.inputs]

    def __hash__(self):
        if self._hash is None:  # what tells most programs apart; `==` compares all
            operators = tuple([eqn.operator for eqn in self.equations])
            self._hash = hash((tuple([v.aval for v in self.inputs]), operators))
        return self._hash

    def __eq__(self, other):
        return self is other or (
            isinstance(other, Code)
            and hash(self) == hash(other)
            and self.inputs == other.inputs
            and self.outputs == other.outputs
            and self.equations == other.equations
        )

    def __deepcopy__(self, memo):
        return self  # nothing in it changes, and primitives are known by identity
