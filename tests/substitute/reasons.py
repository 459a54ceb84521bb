"""Why some of others' tests fail with jaxkit's transforms: what they look at.

A reason has patterns, of which one must be found in a test's name, or in its failure.
"""

from __future__ import annotations

import re

Reasons = dict[str, tuple[str, ...]]

JAX: Reasons = {
    "The message is another one, for the same mistake; the exception is the same.": (
        r'AssertionError: ".*" does not match "(\w+: |(forward|reverse) mode )',
        r"test_grad_(nonscalar|tuple|unit)_output",
    ),
    "The test reads what JAX's `vjp` and `linearize` return by names that aren't "
    "documented, or handles the arrays that are kept; jaxkit returns a `LinearMap`, "
    "which has a `program` to look at.": (
        r"'(LinearMap|Pullback)' object has no attribute '\w+'",
        r"NotNeeded\(\) is not an instance of",
    ),
    "A primitive that the test makes for itself, with a rule for JAX alone. jaxkit's "
    "message says how to give it one.": (
        r"no derivative rule for the primitive '(my_sin_p|tokentest|foo|add_one)'",
    ),
    "What is compiled is counted, or the levels of Python's stack are: jaxkit has "
    "others, and mostly fewer.": (
        r"test_grad_of_jit_compilation_caching2",
        r"test_pmap_global_cache",
        r"RematTest::test_(fwd|linearize)_caching",
        r"Remat3Test::test_(fwd|linearize)_caching",
        r"TracebackTest::test_(custom_vjp|grad)_traceback",
    ),
    "A printed program, or a log, isn't what JAX prints.": (
        r"test_custom_lin_pretty_print",
        r"test_name_stack_annotation",
        r"test_vjp3_dont_want_bilinear",
        r"test_remat_residual_logging",
        r"test_remat_partial_cse_prevention",
    ),
    "The operations in a printed program are counted. In a checkpoint, jaxkit computes "
    "a loop or a conditional again as a whole, in which JAX drops what isn't used, and "
    "saves what the policy says. The values are the same.": (
        r"test_remat_of_(cond|scan)",
        r"test_remat_checkpoint_dots_(inside_cond|outside_cond|outside_scan)",
    ),
    "The test's rule isn't the derivative of its function, or isn't linear, so that "
    "the value tells which rule was run, and where. The rules of a `custom_vmap` "
    "function say how to batch its code, and the derivative is batched as other code "
    "is; a tangent that doesn't depend on tangents is none; and the value is what "
    "`fwd` returns.": (
        r"CustomVmapTest::test_(jacfwd|jvp)",
        r"CustomJVPTest::test_float0_initial_style",
        r"test_optimize_remat_gh21303",
    ),
    "The test expects a refusal, and jaxkit has the derivative: forward mode through a "
    "`custom_vjp` function, reverse mode through a `custom_vmap` function and through "
    "a while loop, that of `scatter_apply`, the transpose of a function of integers.": (
        r"test_scatter_apply_(jvp|vjp)",
        r"test_jvp_error",
        r"testWhileGradError",
        r"CustomVmapTest::test_partial_eval_raises",
        r"test_linear_transpose_error",
    ),
    "The test expects a Python float where jaxkit, and else JAX, has an array.": (
        r"is not an instance of <class 'float'>",
    ),
    "A private function of JAX's (in this version).": (
        r"test_optimize_remat_jvp",
        r"Remat3Test::test_remat_custom_policy_save_cos",
    ),
    "A float is added to integers, which JAX's strict promotion forbids of arrays. JAX "
    "calls the function with NumPy's array itself, jaxkit with JAX's.": (
        r"test_float0_reshape",
    ),
    "XLA leaves out the rounding to bfloat16 where it fuses operations: the value and "
    "what is kept differ by it.": (r"test_excess_precision_hell",),
    "For the constants of a program the test puts random numbers. In jaxkit's they are "
    "operands of the loop, and the rule that is in it doesn't know the numbers.": (
        r"test_dce_jaxpr_scan_const_in_jvp",
    ),
}


PACKAGES: Reasons = {
    "The test expects a refusal, and jaxkit has the derivative: forward mode through a "
    "`custom_vjp` function.": (
        r"test_jacrev_operator",
        r"test_gauss_newton_jacrev",
    ),
    "The test expects a Python float where jaxkit has an array.": (
        r"tree_allclose\(Array\([\d.]+, dtype=float32, weak_type=True\), [\d.]+\)",
    ),
    "The test expects that Equinox leaves a tangent out, which it tells by what is "
    "private in JAX's tracers to be zero. With jaxkit's it is an array of zeros.": (
        r"test_double_filter_jvp",
    ),
    "Difference quotients of third order, of numbers in float32, have two digits. The "
    "derivatives have seven.": (r"test_logdiffexp_grads",),
}


def reason(reasons: Reasons, name: str, failure: str) -> str | None:
    """Why a test of this name fails so, or None if there is no reason."""
    text = f"{name}\n{failure}"
    for why, patterns in reasons.items():
        if any(re.search(pattern, text, re.M) for pattern in patterns):
            return why
    return None
