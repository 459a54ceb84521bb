"""The faults: what is replaced by what, in which file of jaxkit."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]


class Fault(NamedTuple):
    """`old`, which stands in `file` once, becomes `new`; `first`: where to look."""

    name: str
    file: str
    old: str
    new: str
    first: str

    def plant(self, root: Path) -> None:
        path = root / "jaxkit" / self.file
        text = path.read_text()
        assert text.count(self.old) == 1, f"{self.name}: {text.count(self.old)} places"
        path.write_text(text.replace(self.old, self.new))


RULES = [
    Fault(
        "at a tie of two the whole tangent of each",
        "rules/extremes.py",
        "(1, 0.5)",
        "(1, 1.0)",
        "tests/rules/test_conventions.py",
    ),
    Fault(
        "a maximum of many: the sum of the tangents, not the mean",
        "rules/extremes.py",
        "return div(moved, count)",
        "return moved",
        "tests/rules/test_conventions.py",
    ),
    Fault(
        "a mask multiplies instead of selecting",
        "rules/arith.py",
        "return lax.select(where, x, _zeros(where, aval=aval_of(x)))",
        "return lax.mul(x, lax.convert_element_type(where, x.dtype))",
        "tests/kinds/test_masks.py",
    ),
    Fault(
        "a clamp with crossed bounds moves with the lower one",
        "rules/elementwise.py",
        "is_low, is_high = (low > x) & (low < high), (high < x) | (high < low)",
        "is_low, is_high = low > x, high < x",
        "tests/rules/test_conventions.py",
    ),
    Fault(
        "of an even length the last frequency counts twice",
        "rules/fourier.py",
        "np.where(alone, 1, 2)",
        "np.where(k == 0, 1, 2)",
        "tests/rules/test_rules.py -k irfft",
    ),
    Fault(
        "a triangular solve reads the diagonal that it was told is one",
        "rules/linalg.py",
        "off = int(unit_diagonal)",
        "off = 0",
        "tests/rules/test_rules.py -k triangular",
    ),
    Fault(
        "a diagonal isn't real though the matrix is Hermitian",
        "rules/matrices.py",
        'if x.dtype.kind != "c":\n        return full\n    real',
        "if x.dtype:\n        return full\n    real",
        "tests/kinds/test_masks.py -k hermitian",
    ),
    Fault(
        "the padding of a dilated kernel, transposed, is off by one",
        "rules/convolution.py",
        "window - 1 - before, window, n, b",
        "window - before, window, n, b",
        "tests/rules/test_rules.py -k dilated",
    ),
    Fault(
        "a constant read outside an array moves",
        "rules/indexing.py",
        "**dict(params, fill_value=0)",
        "**params",
        "tests/rules/test_rules.py -k gather",
    ),
    Fault(
        "what is read twice gets one cotangent",
        "rules/indexing.py",
        "return lax.scatter_add(\n        total",
        "return lax.scatter(\n        total",
        "tests/rules/test_rules.py -k gather",
    ),
    Fault(
        "a cumulative product from the end runs from the start",
        "rules/reductions.py",
        "lax.associative_scan(combine, (x, dx), reverse, axis)",
        "lax.associative_scan(combine, (x, dx), False, axis)",
        "tests/rules/test_rules.py -k cumprod",
    ),
    Fault(
        "a cotangent is weakly typed where the operand isn't",
        "rules/structural.py",
        '"weak_type": x.aval.weak_type}',
        '"weak_type": True}',
        "tests/rules/test_rules.py -k 'convert and float32'",
    ),
]
TRACING = [
    Fault(
        "a variable used twice gets the last cotangent",
        "program/walk.py",
        "share if seen is None else add(seen, share)",
        "share",
        "tests/test_transforms.py",
    ),
    Fault(
        "perturbation confusion: the tangents of one transform are those of another",
        "dual.py",
        "mine = type(x) is Dual and x._trace is self",
        "mine = type(x) is Dual",
        "tests/test_nesting.py",
    ),
    Fault(
        "1, 1.0 and True are one constant",
        "program/code.py",
        "return type(self.value), repr(self.value)",
        "return self.value",
        "tests/test_program.py",
    ),
    Fault(
        "what was made by a rule is used after the rule has changed",
        "control/structure.py",
        "key = RULES.edition, ",
        "key = 0, ",
        "tests/test_table.py",
    ),
    Fault(
        "a loop goes back in the direction it came",
        "control/scan.py",
        'options["reverse"] = not options["reverse"]',
        'options["reverse"] = bool(options["reverse"])',
        "tests/rules/test_rules.py -k scan",
    ),
    Fault(
        "what moves in the second step of a loop is still",
        "control/structure.py",
        "after_moving[place] = None if refused else before or live",
        "after_moving[place] = None if refused else before",
        "tests/rules/test_rules.py -k scan",
    ),
    Fault(
        "a cotangent that arrives in the second step of a loop is none",
        "control/structure.py",
        "        if after == carry:\n",
        "        if after:\n",
        "tests/kinds/test_unneeded.py",
    ),
    Fault(
        "of what only one branch reaches there is no cotangent",
        "control/branches.py",
        "[any(branches) or None",
        "[all(branches) or None",
        "tests/rules/test_rules.py -k cond",
    ),
    Fault(
        "a loop that vmap has made of many stops with the first",
        "control/loops.py",
        "lambda carry: jnp.any(tests(carry))",
        "lambda carry: jnp.all(tests(carry))",
        "tests/kinds/test_forms.py",
    ),
    Fault(
        "a checkpoint keeps what it should compute again",
        "control/checkpoint.py",
        "have = {*body.constants, *body.inputs, *allowed}",
        "have = {*body.constants, *body.inputs, *body.residuals}",
        "tests/test_control.py",
    ),
    Fault(
        "linear maps that are stacked are used as one",
        "program/linear.py",
        "            if shape != x.aval.shape:",
        "            if len(shape) < len(x.aval.shape):",
        "tests/test_linear_maps.py",
    ),
    Fault(
        "64 bits become 32 where the setting has changed",
        "tracing/types.py",
        "wide = x64_is_off() and any([aval.dtype in WIDE for aval in avals])",
        "wide = False",
        "tests/kinds/test_edges.py",
    ),
]
FAULTS = RULES + TRACING
