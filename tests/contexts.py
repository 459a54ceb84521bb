"""One MLIR context for all that a thread lowers: to make one takes longer than to lower
most programs."""

from functools import cache
from threading import get_ident

from jax._src.interpreters import mlir


def share() -> None:
    """From here on; but a program lowered while another is has a context of its own."""
    new = mlir.make_ir_context
    of = cache(lambda thread: new())
    mlir.make_ir_context = lambda: (
        new() if mlir.ir.Context.current is not None else of(get_ident())
    )
