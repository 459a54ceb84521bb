"""Linear programs as text: one equation a line, with shapes and dtypes."""

from __future__ import annotations

from typing import Any

from jaxkit.equations import Residual
from jaxkit.linear import Code, LinearProgram


def format_program(program: LinearProgram) -> str:
    """The text of a linear program.

    Example:

        linear program of t0:f32[3] with residuals r0:f32[3]
          t1:f32[3] = mul t0 r0
          t2:f32[] = reduce_sum[axes=(0,)] t1
          return t2
    """
    residuals = {
        x.index: x
        for eqn in program.code.equations
        for x in eqn.operands
        if type(x) is Residual
    }
    head = f"linear program of {_typed(program.code.inputs) or 'nothing'}"
    if residuals:
        head += f" with residuals {_typed(residuals[i] for i in sorted(residuals))}"
    return "\n".join([head, *_body(program.code)])


def format_operator(operator: Any, params: dict[str, Any]) -> str:
    """An operator with its parameters: `reduce_sum[axes=(0,)]`."""
    shown = {k: v for k, v in params.items() if v is not None and k not in HIDDEN}
    text = ",".join(f"{k}={_short(v)}" for k, v in shown.items())
    return f"{operator}[{text}]" if text else f"{operator}"


def _body(code: Code) -> list[str]:
    lines = []
    for operator, operands, params, outputs in code.equations:
        inner = params.get("code")
        right = " ".join([format_operator(operator, params), *map(str, operands)])
        lines.append(f"{_typed(outputs)} = {right}")
        if isinstance(inner, Code):
            lines[-1] += f"   where {_typed(inner.inputs)}:"
            lines += _body(inner)
    lines.append(f"return {' '.join(map(str, code.outputs))}")
    return [f"  {line}" for line in lines]


# Of no use to a reader, or long.
HIDDEN = {
    *("code", "codes", "loop", "region", "rule", "moving", "avals"),
    *("sharding", "out_sharding", "update_jaxpr"),
}


def _typed(atoms: Any) -> str:
    return " ".join(f"{x}:{x.aval.str_short(short_dtypes=True)}" for x in atoms)


def _short(value: Any, limit: int = 60) -> str:
    text = str(value)
    return text if len(text) <= limit else text[: limit - 3] + "..."
