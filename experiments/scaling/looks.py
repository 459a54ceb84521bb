"""What colours, markers and line styles mean in the figures of this experiment."""

from typing import Any

from experiments.bench.style import BLUE, INK, VERMILION

MODES = {"jacfwd": (BLUE, "o"), "jacrev": (VERMILION, "s")}
LIBRARIES = {"jaxkit": "jaxkit", "jax": "JAX"}
# jaxkit is a dot on a line and JAX a ring around it: both show where they coincide.
LOOKS: dict[str, dict[str, Any]] = {
    "jaxkit": {"linestyle": "-", "markersize": 4.5},
    "jax": {"linestyle": "--", "markersize": 9, "markerfacecolor": "none"},
}
STAR: dict[str, Any] = {"color": INK, "marker": "*", "linestyle": "", "markersize": 12}
LABELS = {
    "time": ("run time", "s"),
    "flops": ("FLOPs", ""),
    "bytes": ("bytes accessed", "B"),
    "temporaries": ("peak temporaries", "B"),
}
