"""Linear programs as text: one equation a line, with shapes and dtypes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jaxkit.program.code import Code, Var
from jaxkit.program.walk import forward


def format_code(code: Code) -> str:
    """The text of a linear program.

    Example:

        linear program of t0:f32[3] with residuals r0:f32[3]
          t1:f32[3] = mul t0 r0
          t2:f32[] = reduce_sum[axes=(0,)] t1
          return t2
    """
    return "\n".join(line for _, line in lines_of(code))


def lines_of(code: Code) -> list[tuple[Any, str]]:
    """The lines of that text, each with the source of its equation, or None."""
    head = f"linear program of {_typed(code.inputs) or 'nothing'}"
    if code.residuals:
        head += f" with residuals {_typed(code.residuals)}"
    return [(None, head), *_body(code)]


def _body(code: Code) -> list[tuple[Any, str]]:
    lines: list[tuple[Any, str]] = []

    def do(eqn, operands):
        text = f"{_typed(eqn.outputs)} = {application(eqn, operands)}"
        lines.append((eqn.source, text))
        inner = [eqn.params.get("code")]
        for i, code in enumerate(eqn.params.get("codes", inner)):
            if isinstance(code, Code):
                head = f"   where {_typed(code.inputs)}:"
                if "codes" in eqn.params:
                    lines.append((eqn.source, f"  in branch {i},{head[2:]}"))
                else:
                    lines[-1] = eqn.source, lines[-1][1] + head
                lines.extend(_body(code))
        return list(map(str, eqn.outputs))

    outs = forward(code, list(map(str, code.inputs)), do, lambda x, eqn: str(x))
    lines.append((None, f"return {' '.join(outs)}"))
    return [(source, f"  {line}") for source, line in lines]


def application(eqn: Any, operands: Sequence[str]) -> str:
    """The right-hand side of an equation: `mul t0 r0`."""
    return " ".join([format_operator(eqn.operator, eqn.params), *operands])


def format_operator(operator: Any, params: dict[str, Any]) -> str:
    """An operator with its parameters: `reduce_sum[axes=(0,)]`."""
    shown = {k: v for k, v in params.items() if v is not None and k not in HIDDEN}
    text = ",".join(f"{k}={_short(v)}" for k, v in shown.items())
    return f"{operator}[{text}]" if text else f"{operator}"


# Of no use to a reader, or long.
HIDDEN = {
    *("code", "codes", "kept", "loop", "region"),
    *("bwd", "moving", "avals", "symbolic_zeros"),
    *("sharding", "out_sharding", "update_jaxpr"),
}


def _typed(variables: Sequence[Var]) -> str:
    return " ".join(f"{x}:{x.aval.str_short(short_dtypes=True)}" for x in variables)


def _short(value: Any, limit: int = 60) -> str:
    text = str(value)
    return text if len(text) <= limit else text[: limit - 3] + "..."
