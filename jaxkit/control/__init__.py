"""Rules of primitives that run code: calls, loops, conditionals, checkpoints."""

from jaxkit.control import (  # noqa: F401
    branches,
    checkpoint,
    composites,
    custom,
    custom_vjp,
    jit,
    loops,
    references,
    scan,
    shards,
    solve,
)
