"""Linear programs: the derivative of a program at a point, as a value.

code.py     what a linear program consists of: operands, equations, code
walk.py     how one goes through it, forward or backward
linear.py   the program with its residuals: apply, transpose, prune; its recorder
text.py     the program as text
folding.py  the program with what is known although the inputs aren't
"""

from jaxkit.program.code import Code, Constant, Equation, Residual, Var, Zero
from jaxkit.program.folding import UNTRACED, folded
from jaxkit.program.linear import (
    LinearProgram,
    NotTransposable,
    Recorder,
    added,
    reached,
)
from jaxkit.program.text import application
from jaxkit.program.walk import backward, forward

__all__ = [
    "UNTRACED",
    "Code",
    "Constant",
    "Equation",
    "LinearProgram",
    "NotTransposable",
    "Recorder",
    "Residual",
    "Var",
    "Zero",
    "added",
    "application",
    "backward",
    "folded",
    "forward",
    "reached",
]
