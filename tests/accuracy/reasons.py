"""Why the error of a derivative is more than BOUND, where it is."""

from __future__ import annotations

BOUND = 4.0

TAIL = (
    "Where the output is 1 but for rounding, 1 - z has no digits left. They would take "
    "one more exponential for each element; `accuracy=HIGHEST` asks for them."
)
CROSSING = (
    "Near 0, where it crosses zero, the second derivative is a difference of two "
    "numbers near 1/8: its error is eps, not eps x."
)
POLYGAMMA = (
    "XLA's polygamma: far out it is about half of what it should be, 0.5 / x of "
    "polygamma(1, x) = 1 / x + ..."
)
BESSEL = (
    "The derivative is a difference of i0e and i1e, which agree to 1 / (2x): its error "
    "is eps i0e(x), far out much more than itself."
)
DENSITY = (
    "A density is computed in logarithms, and its error is eps times the largest of "
    "them; of higher order, where it underflows, what it is multiplied by (1 / x, "
    "1 / x^2) may be large, or overflow."
)
RADIUS = (
    "Near the origin, of operands that differ much in size, 1 / r^2 overflows before "
    "it is multiplied by the smaller one."
)
EXPONENT = (
    "y x^(y - 1), of which y - 1 is rounded, and multiplied by log x; at x = 0 it is "
    "NaN for an exponent 0 that may move, as in JAX."
)
ENDS = (
    "1 - x^2 is (1 - x)(1 + x) for the digits near |x| = 1; near 0, where the second "
    "derivative crosses zero, its error is eps. From JAX 0.11 on there is a primitive "
    "for both."
)

# The name, and the order from which on the reason holds.
REASONS = {
    "logistic": (1, f"{TAIL} {CROSSING}"),
    "logistic, accuracy=HIGHEST": (2, CROSSING),
    "tanh": (
        1,
        f"{TAIL} Before JAX 0.11, which has a primitive for 1 - z^2, it is written as "
        "(1 - z)(1 + z), whose derivative -2z is a difference near 0.",
    ),
    "lgamma": (2, POLYGAMMA),
    "digamma": (1, POLYGAMMA),
    "bessel_i0e": (1, BESSEL),
    "bessel_i1e": (1, BESSEL),
    "atan2 of x": (2, RADIUS),
    "atan2 by x": (2, RADIUS),
    "pow of x": (1, EXPONENT),
    "pow by x": (
        3,
        "x^y log(x)^3 where x^y underflows, and the product wouldn't.",
    ),
    "asin": (2, ENDS),
    "acos": (2, ENDS),
    "atanh": (2, ENDS),
    "igamma": (1, DENSITY),
    "igammac": (1, DENSITY),
    "igamma_grad_a": (1, DENSITY),
    "betainc": (1, DENSITY),
    "cosh of complex": (1, "XLA's complex sinh has no digits of a small real part."),
    "tanh of complex": (1, "As of real numbers."),
}


def explained(name: str, order: int) -> bool:
    """Whether there is a reason for errors of this function and order."""
    return name in REASONS and order >= REASONS[name][0]
