"""Stacks of transforms over a program, each by the library at hand or by JAX."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

DERIVATIVES = {
    "grad": "gradient",
    "jvp": "push",
    "vjp": "pull",
    "linearize": "linear",
    "value_and_grad": "valued",
    "hvp": "hvp",
    "jacfwd": "forward_jacobian",
    "jacrev": "reverse_jacobian",
    "hessian": "hessian",
    "bare grad": "bare_gradient",
}
OTHERS = {
    "jit": "jax.jit({})",
    "vmap": "partial(batched, {}, which=None)",
    "vmap of one": "partial(batched, {}, which=0)",
    "checkpoint": "jax.checkpoint({})",
}
LARGE = {"jacfwd", "jacrev", "hessian"}
EAGER = {"grad", "jvp", "vjp", "linearize", "value_and_grad", "hvp", "bare grad"}


@dataclass(frozen=True)
class Level:
    """One transform; lib: "lib" for the one at hand, or "jax"."""

    name: str
    lib: str = "lib"

    @property
    def source(self) -> str:
        """The transformed function of "{}", as text."""
        if self.name in OTHERS:
            return OTHERS[self.name]
        return f"partial({DERIVATIVES[self.name]}, {self.lib}, {{}})"

    @property
    def eager(self) -> bool:
        """Whether Python may branch on values below it."""
        return self.name in EAGER

    def __str__(self) -> str:
        own = self.name in OTHERS
        return (
            self.name if own else f"{'jk' if self.lib == 'lib' else 'jax'}.{self.name}"
        )


@st.composite
def stacks(draw) -> tuple[Level, ...]:
    """One to four, the innermost first, one at least by the library at hand."""
    first = Level(draw(st.sampled_from(list(DERIVATIVES))))
    levels, large = [first], first.name in LARGE
    while len(levels) < 4 and draw(st.integers(0, 1)):
        known = [x for x in [*DERIVATIVES, *OTHERS] if not (large and x in LARGE)]
        name = draw(st.sampled_from(known))
        lib = draw(st.sampled_from(["lib", "lib", "jax"]))
        levels.append(Level(name, "lib" if name in OTHERS else lib))
        large |= name in LARGE
    return tuple(draw(st.permutations(levels)) if len(levels) > 1 else levels)
