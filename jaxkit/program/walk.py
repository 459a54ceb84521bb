"""The walk through a linear program: first to last equation, or last to first.

Whatever is done with a program is a walk with another meaning.  The meaning says what
an equation does (`do`) with the values of its operands, and what an operand other than
a Var reads as (`read`).  Values may be anything:

    apply       arrays; an equation computes                            forward
    transpose   arrays; an equation computes its operands' cotangents   backward
    print       names; an equation is a line                            forward
    prune       "it is needed"; so are an equation's operands then      backward

`observe(equation, values)`, where given, is told of each equation after it is done:
forward the values of its outputs, backward those that arrived there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from jaxkit.program.code import Code, Equation, Var


def forward(
    code: Code,
    inputs: Sequence[Any],
    do: Callable[[Equation, list[Any]], Sequence[Any]],
    read: Callable[[Any, Equation | None], Any],
    observe: Callable[[Equation, Sequence[Any]], None] | None = None,
) -> list[Any]:
    """Walk from the inputs to the outputs; returns the values of the outputs.

    `do(equation, operands)` returns one value for each output of the equation;
    `read(operand, equation)` is asked for Residuals, Constants and Zeros (of which the
    program may return one: then there is no equation).
    """
    env = {v.index: x for v, x in zip(code.inputs, inputs, strict=True)}
    for eqn in code.equations:
        values = [
            env[x.index] if type(x) is Var else read(x, eqn) for x in eqn.operands
        ]
        outs = do(eqn, values)
        for v, y in zip(eqn.outputs, outs, strict=True):
            env[v.index] = y
        if observe:
            observe(eqn, outs)
    return [env[x.index] if type(x) is Var else read(x, None) for x in code.outputs]


def backward(
    code: Code,
    outputs: Sequence[Any],
    do: Callable[[Equation, list[Any]], Sequence[Any]],
    add: Callable[[Any, Any], Any],
    observe: Callable[[Equation, Sequence[Any]], None] | None = None,
    into: Callable[[Equation, list[Any], Any], Any] | None = None,
    start: Sequence[Any] = (),
) -> list[Any]:
    """Walk from the outputs to the inputs; returns what arrived at each input.

    `do(equation, arrived)` gets what arrived at the outputs of an equation, and returns
    one share for each of its operands, of which those of Vars count; `add` sums the
    shares where a variable was used more than once.  None is nothing: equations at
    which nothing arrives are passed over.

    `into(equation, arrived, sum)`, where given, may return the sum of the shares of the
    first operand, given that of those before, or None if it is to be made by `do` and
    `add`.  At the inputs there are already the values of `start`, if that isn't empty.
    """
    env: dict[int, Any] = {}
    for v, x in zip(code.inputs, start, strict=False):
        if x is not None:
            env[v.index] = x
    _arrive(env, code.outputs, outputs, add)
    for eqn in reversed(code.equations):
        arrived, some = [], False
        for v in eqn.outputs:
            share = env.pop(v.index, None)
            arrived.append(share)
            some = some or share is not None
        if some:
            if into is None or not _summed(env, eqn, arrived, into):
                _arrive(env, eqn.operands, do(eqn, arrived), add)
            if observe:
                observe(eqn, arrived)
    return [env.get(v.index) for v in code.inputs]


def _summed(env, eqn, arrived, into) -> bool:
    """Whether `into` made the sum at the first operand, if there was something."""
    x = eqn.operands[0] if eqn.operands else None
    if type(x) is not Var or x.index not in env:
        return False
    total = into(eqn, arrived, env[x.index])
    if total is not None:
        env[x.index] = total
    return total is not None


def _arrive(env, operands, shares, add) -> None:
    for x, share in zip(operands, shares, strict=True):
        if share is not None and type(x) is Var:
            seen = env.get(x.index)
            env[x.index] = share if seen is None else add(seen, share)
