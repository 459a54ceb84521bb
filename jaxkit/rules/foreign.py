"""Primitives that run code which JAX can't see into: they have no derivative."""

from __future__ import annotations

from jaxkit.rules.verbs import refused

refused("pure_callback", "io_callback", why="it calls back into Python")
refused("ffi_call", why="it calls code of another language")
refused("composite", why="what it stands for may be run by other code")
