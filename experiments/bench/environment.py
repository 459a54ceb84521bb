"""Where a run was made: the device, the versions, the threads, the load."""

import datetime
import importlib.metadata
import os
import platform
import sys
from pathlib import Path

PACKAGES = ("jax", "jaxlib", "numpy")


def environment() -> dict[str, dict]:
    """What must be the same for samples to be comparable, and what is only noted.

    `fixed` holds device, threads, flags and versions; `noted` the time in UTC, the
    load averages over 1, 5 and 15 minutes, the free memory in bytes, the command.
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
            **{name: importlib.metadata.version(name) for name in PACKAGES},
            "python": platform.python_version(),
        },
        "flags": {
            "XLA_FLAGS": os.environ.get("XLA_FLAGS", ""),
            "x64": bool(jax.config.read("jax_enable_x64")),
        },
    }
    noted = {
        "time": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "load": load(),
        "free_memory": free_memory(),
        "command": sys.argv,
    }
    return {"fixed": fixed, "noted": noted}


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
    """Memory that programs can still take, in bytes; a very large number if unknown."""
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError):
        return sys.maxsize
