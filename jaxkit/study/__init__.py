"""The history of the subject, one system a file, each usable on its own.

    finite      differences of nearby values
    symbolic    expressions, and rules that turn one into its derivative
    dual        numbers that carry their derivative along: forward mode
    tape        the operations that ran, numbered, walked backwards: reverse mode
    chain       the chain rule as a product of matrices: its order, and what to keep

They import nothing of jaxkit's core, so that each is an oracle for it, and for the
others.  All of them run ordinary Python functions: what a function's operators and
NumPy functions do to their numbers is said once, in `operations`.
"""

from jaxkit.study import chain, dual, finite, symbolic, tape

__all__ = ["chain", "dual", "finite", "symbolic", "tape"]
