"""One function at each stage of the kit: four programs, linked line by line.

    primal       the operations that ran
    tangents     the same, with the tangent of each beside it: forward mode
    linear       the tangents' part alone; what it needs of the primal are residuals
    transpose    the linear program backwards: reverse mode

A line of any stage belongs to a step of the first, whose node it names.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp

from jaxkit.arithmetic import transposed
from jaxkit.drawing import linked
from jaxkit.explaining import text
from jaxkit.explaining.nodes import Node, Step
from jaxkit.explaining.values import in_line
from jaxkit.explaining.values import number as as_text
from jaxkit.program import LinearProgram, Residual, Var, application, forward
from jaxkit.residuals import reading


@dataclass(frozen=True)
class Stage:
    """A program: its lines, each with the number of its node, and a function."""

    name: str
    head: str
    lines: tuple[tuple[int, str], ...]
    run: Callable

    def __call__(self, *args):
        return self.run(*args)

    def of(self, number: int) -> list[str]:
        """The lines that belong to a node."""
        return [line for n, line in self.lines if n == number]

    def __str__(self):
        width = max((len(str(n)) for n, _ in self.lines), default=1) + 1
        body = [f"  {f'n{n}':>{width}} | {line}" for n, line in self.lines]
        return "\n".join([f"{self.name}: {self.head}", *body])

    __repr__ = __str__


@dataclass(frozen=True)
class Stages:
    """The stages of a function at a point; each can be printed, and called.

    Attributes:
        primal: from arguments to the output.
        tangents: from arguments and tangents, two tuples, to (output, its tangent).
        linear: from tangents, one for each argument, to the output's.
        transpose: from the output's cotangent to a tuple of those of the arguments.
    """

    primal: Stage
    tangents: Stage
    linear: Stage
    transpose: Stage

    def __iter__(self):
        return iter((self.primal, self.tangents, self.linear, self.transpose))

    def __str__(self):
        return "\n\n".join(map(str, self))

    def _repr_html_(self):
        return linked([(f"{x.name}: {x.head}", x.lines) for x in self])

    __repr__ = __str__


def make(
    steps: Sequence[Step], inputs: Sequence[Node], outputs: Sequence[Node], runs
) -> Stages:
    """The stages of noted steps; `runs` are their four functions."""
    primal, tangents, linear, transpose = [], [], [], []
    constants = {x for step in steps for x in step.operands if x.kind == "const"}
    for x in sorted(constants | {y for y in outputs if y.kind == "const"}, key=number):
        primal.append((x.number, f"{x} = {in_line(x.value)}"))
    tangents += primal
    for step in steps:
        place = step.outputs[0].number if step.outputs else 0
        names = ", ".join(map(repr, step.outputs))
        values = f"{names} = {step.name} {' '.join(map(repr, step.operands))}"
        moved = [(place, line) for line in pushforward(step)]
        primal.append((place, values))
        tangents += [(place, values), *moved]
        linear += moved
    for step in reversed(steps):
        place = step.outputs[0].number if step.outputs else 0
        transpose += [(place, line) for line in pullback(step)]
    ins, outs = (" ".join(map(repr, x)) for x in (inputs, outputs))
    d_ins = " ".join(f"d{x}" for x in inputs if x.moves)
    d_outs = " ".join(f"d{y}" for y in outputs if y.moves)
    c_ins, c_outs = d_ins.replace("dn", "cn"), d_outs.replace("dn", "cn")
    found = [text.whose(r, step) for step in steps for r in step.local.residuals]
    residuals = text.spans(filter(None, found))
    kept = f", with residuals {residuals}" if residuals else ""
    return Stages(
        Stage("primal", f"{ins} -> {outs}", tuple(primal), runs[0]),
        Stage(
            "tangents", f"{ins} {d_ins} -> {outs} {d_outs}", tuple(tangents), runs[1]
        ),
        Stage("linear", f"{d_ins} -> {d_outs}{kept}", tuple(linear), runs[2]),
        Stage("transpose", f"{c_outs} -> {c_ins}", tuple(transpose), runs[3]),
    )


def number(node: Node) -> int:
    return node.number


def pushforward(step: Step) -> list[str]:
    """The equations of a step's tangents: `dn5 = mul dn4 n2`."""
    ins = [f"d{x}" for x, m in zip(step.operands, step.moving, strict=True) if m]
    outs = [f"d{y}" for y in step.outputs if y.moves]
    return equations(step.local, ins, outs, step)


def pullback(step: Step) -> list[str]:
    """The equations of the adjoints that a step adds to: `cn4 += mul cn5 n2`."""
    if not any(y.moves for y in step.outputs) or not any(step.moving):
        return []
    ins = [f"c{y}" for y in step.outputs if y.moves]
    outs = [f"c{x}" for x, m in zip(step.operands, step.moving, strict=True) if m]
    return equations(transposed(step.local), ins, outs, step, " += ")


def equations(
    program: LinearProgram,
    inputs: list[str],
    outputs: list[str],
    step: Step,
    equals: str = " = ",
) -> list[str]:
    """A linear program's equations, with names for what goes in and what comes out."""
    code, lines = program.code, []
    given = {v.index for v in code.inputs}
    results: dict[int, str] = {}
    for x, name in zip(code.outputs, outputs, strict=True):
        if type(x) is Var and x.index not in given:
            results.setdefault(x.index, name)

    def read(x, eqn):
        if type(x) is Residual:
            return residual(program.residuals[x.index], step)
        return str(x)

    def do(eqn, operands):
        names = [results.get(v.index, str(v)) for v in eqn.outputs]
        sign = equals if any(v.index in results for v in eqn.outputs) else " = "
        lines.append(f"{', '.join(names)}{sign}{application(eqn, operands)}")
        return names

    values = forward(code, inputs, do, read)
    for x, value, name in zip(code.outputs, values, outputs, strict=True):
        if type(x) is not Var:
            lines += [f"{name} = 0"] if equals == " = " else []
        elif value != name:  # it is one of the inputs, or shared
            lines.append(f"{name}{equals}{value}")
    return lines


def same(x: Any, y: Any) -> bool:
    if x is y:
        return True
    return x.shape == y.shape and x.dtype == y.dtype and bool(jnp.array_equal(x, y))


def residual(array: Any, step: Step) -> str:
    """What a residual is: the value of a node, a number, or a partial of the step.

    A partial of a step that runs code is one of an operation in there, in a loop one of
    each of its steps.  In the transpose it may be a copy.
    """
    kept = step.local.residuals
    copies = (i for i, x in enumerate(kept) if same(x, array))
    i = next(copies, None)
    node = text.whose(array if i is None else kept[i], step)
    if node is not None:
        return repr(node)
    if not array.shape:
        return as_text(array)
    of = None if i is None else next(reading(step.local.code, i), None)
    inner = of.primitive if of and of.primitive != step.name else ""
    each = f" in {of.entries}" if of and of.entries else ""
    return f"partial({step.outputs[0]}{': ' if inner or each else ''}{inner}{each})"
