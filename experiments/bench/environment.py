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

from experiments.bench import ExperimentError

PACKAGES = ("jax", "jaxlib", "numpy", "torch", "autograd")


def use(device: str | None) -> str:
    """Let JAX compute on `cpu` or `gpu`; without a choice, on a GPU if there is one.

    Returns which it is. On a GPU, float32 products are computed in float32 (JAX would
    round their factors first), as they are on a CPU, and in PyTorch on both.

    Raises:
        ExperimentError: the device isn't there, or JAX was started on another one.
    """
    import jax

    if device == "cpu":
        jax.config.update("jax_platforms", "cpu")
    # What is on disk would be read where compiling is measured.
    jax.config.update("jax_enable_compilation_cache", False)
    found = jax.default_backend()
    if device and found != device:
        why = "JAX is running on" if device == "cpu" else "JAX finds no GPU here, but"
        raise ExperimentError(f"--device {device}: {why} {found}")
    if found == "gpu":
        jax.config.update("jax_default_matmul_precision", "highest")
    return found


def environment(command: list[str], measure: Callable) -> dict[str, dict]:
    """What must be the same for samples to be comparable, and what is only noted.

    `fixed` holds device, threads, flags, versions, and digests of the files of jaxkit,
    of `experiments`, and of the one that `measure` stands in: once one of these is
    edited, a run is another run.
    `noted` holds the time in UTC, the load averages over 1, 5 and 15 minutes, the free
    memory in bytes, the command.
    """
    import jax

    import jaxkit

    device = jax.devices()[0]
    fixed = {
        "device": {
            "platform": device.platform,
            "kind": device.device_kind,
            "processor": processor(),
            "threads": len(os.sched_getaffinity(0))
            if hasattr(os, "sched_getaffinity")
            else os.cpu_count(),
        },
        "versions": {
            "jaxkit": jaxkit.__version__,
            **{name: version(name) for name in PACKAGES},
            "python": platform.python_version(),
        },
        "files": {
            "jaxkit": digest(Path(jaxkit.__file__).parent.rglob("*.py")),
            "experiments": digest(Path(__file__).parents[1].rglob("*.py")),
            "measure": digest_of(measure),
        },
        "flags": {
            "XLA_FLAGS": os.environ.get("XLA_FLAGS", ""),
            "x64": bool(jax.config.read("jax_enable_x64")),
            "matmul_precision": getattr(jax.config, "jax_default_matmul_precision"),  # noqa: B009
        },
    }
    noted = {
        "time": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "load": load(),
        "free_memory": free_memory(),
        "command": command,
    }
    return {"fixed": fixed, "noted": noted}


def version(package: str) -> str | None:
    """The installed version; None if it isn't installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def digest(paths: Iterable[Path]) -> str:
    """A short hash of what stands in some files."""
    found = hashlib.sha256()
    for path in sorted(paths):
        found.update(path.read_bytes())
    return found.hexdigest()[:12]


def digest_of(f: Callable) -> str | None:
    """A digest of the file that a function, or its type, stands in; None if in none."""
    f = inspect.unwrap(f)
    for written in (f, type(f)):
        with contextlib.suppress(TypeError):  # it isn't written in Python
            path = Path(inspect.getsourcefile(written) or "")
            return digest([path]) if path.is_file() else None
    return None


def busy() -> None:
    """Say so if other programs want to run right now (where the system tells)."""
    try:
        running = int(Path("/proc/loadavg").read_text().split()[3].partition("/")[0])
    except (OSError, ValueError, IndexError):
        return
    if running > 1:  # one of them is this one
        print("The machine is busy: times will spread, FLOPs and memory won't.")


def processor() -> str:
    """The processor's name, as the operating system gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if "model name" in line]
    return names[0] if names else platform.machine()


def load() -> list[float]:
    """The load averages over 1, 5 and 15 minutes; empty where there are none."""
    return [round(x, 2) for x in os.getloadavg()] if hasattr(os, "getloadavg") else []


def free_memory() -> int:
    """Memory that programs can still take, in bytes; a very large number if unknown.

    That of the GPU where JAX computes on one.
    """
    import jax

    stats = jax.devices()[0].memory_stats() or {}
    if "bytes_limit" in stats:
        return stats["bytes_limit"] - stats.get("bytes_in_use", 0)
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError):
        return sys.maxsize
