"""Rules of primitives that run code: calls, loops, conditionals, checkpoints."""

from jaxkit.control import reducers  # noqa: F401
