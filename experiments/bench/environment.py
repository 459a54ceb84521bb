"""Where a run is made: on which device, with what versions, threads and load."""

import contextlib
import datetime
import hashlib
import importlib.metadata
import inspect
import os
import platform
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import jax

import jaxkit
from experiments.bench import ExperimentError

ROOT = Path(__file__).parents[2]
PACKAGES = ("jax", "jaxlib", "numpy", "torch", "autograd", "equinox", "asdex")


def use(device: str) -> str:
    """Let JAX compute on `cpu` or `gpu`, or a GPU if there is one; returns which it is.

    On a GPU, float32 products are computed in float32 (JAX would round their factors
    first), as they are on a CPU, and in PyTorch on both.
    """
    if device == "cpu":
        jax.config.update("jax_platforms", "cpu")
    # What is on disk would be read where compiling is measured.
    jax.config.update("jax_enable_compilation_cache", False)
    found = jax.default_backend()
    if device and found != device:
        raise ExperimentError(f"--device {device}: JAX finds none here, but {found}")
    if found == "gpu":
        jax.config.update("jax_default_matmul_precision", "highest")
    return found


def environment(command: list[str], *written: Callable) -> tuple[dict, dict]:
    """What must be the same for samples to be comparable, and what is only noted.

    The first holds device, flags, versions, and digests of the files of jaxkit, of
    `experiments` and `zoo`, and of those that some functions are written in: once one
    of these is edited, a run is another run.
    """
    one, code = jax.devices()[0], [ROOT / "experiments", ROOT / "zoo"]
    mine = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else ()
    device = {"platform": one.platform, "kind": one.device_kind}
    device |= {"processor": processor(), "threads": len(mine) or os.cpu_count()}
    versions = {"jaxkit": jaxkit.__version__, "python": platform.python_version()}
    for package in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    files = {
        "jaxkit": digest(Path(jaxkit.__file__).parent.rglob("*.py")),
        "experiments": digest(path for x in code for path in x.rglob("*.py")),
        "functions": [digest_of(f) for f in written],
    }
    x64 = bool(jax.config.read("jax_enable_x64"))
    flags = {"XLA_FLAGS": os.environ.get("XLA_FLAGS", ""), "x64": x64}
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    noted = {"time": now, "load": load(), "command": command}
    return {
        "device": device,
        "versions": versions,
        "files": files,
        "flags": flags,
    }, noted


def digest(paths: Iterable[Path]) -> str:
    """A short hash of what stands in some files."""
    read = b"".join(path.read_bytes() for path in sorted(paths))
    return hashlib.sha256(read).hexdigest()[:12]


def digest_of(f: Any) -> str | None:
    """A digest of the file that a function, or its type, stands in; None if in none."""
    f = inspect.unwrap(f)
    with contextlib.suppress(TypeError):  # it isn't written in Python
        path = inspect.getsourcefile(f if inspect.isfunction(f) else type(f)) or ""
        return digest([Path(path)]) if Path(path).is_file() else None


def processor() -> str:
    """The processor's name, as the operating system gives it."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if "model name" in line:
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def load() -> list[float]:
    """The load averages over 1, 5 and 15 minutes; empty where there are none."""
    return [round(x, 2) for x in os.getloadavg()] if hasattr(os, "getloadavg") else []


def free_memory() -> int:
    """Memory that programs can still take, on a GPU its own; very large if unknown."""
    stats = jax.devices()[0].memory_stats() or {}
    if "bytes_limit" in stats:
        return stats["bytes_limit"] - stats.get("bytes_in_use", 0)
    with contextlib.suppress(OSError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return sys.maxsize
