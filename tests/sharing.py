"""What is shared where much is compiled: MLIR's contexts, and compiled programs."""

import os
from functools import cache
from pathlib import Path
from threading import get_ident

import jax
from jax._src import lru_cache
from jax._src.interpreters import mlir


def share_contexts() -> None:
    """From here on a thread has one: to make it takes longer than to lower a program.

    But a program lowered while another is has a context of its own.
    """
    new = mlir.make_ir_context
    of = cache(lambda thread: new())
    mlir.make_ir_context = lambda: (
        new() if mlir.ir.Context.current is not None else of(get_ident())
    )


def share_programs(folder: Path) -> None:
    """From here on what is compiled is kept in a folder, for all processes and runs."""
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    lru_cache.LRUCache.put = _put


def _put(self, key: str, value: bytes) -> None:
    """Writes all of an entry at once, since another process may read it meanwhile."""
    entry = self.path / f"{key}-cache"
    part = entry.with_name(f"{entry.name}-{os.getpid()}-{get_ident()}")
    part.write_bytes(value)
    part.replace(entry)
