"""4. A rule that makes expressions smaller: x + x becomes 2 * x.

`jaxkit.study.symbolic` prunes by rules.  A rule for sums is a function of the two
operands.  It returns an equal, smaller expression, or None where it doesn't apply.
Expressions overload +, * and so on, and an expression is used twice where both operands
are the same object.

Example: the derivative of x * x prunes to `x + x`; with your rule, to `(2) * (x)`.
To see it, add the rule yourself:

    from jaxkit.study import symbolic
    symbolic.rule(symbolic.Add)(twice)
    x = symbolic.Var("x", 3.0)
    print((x * x).gradient(x).prune())
"""


def twice(a, b):
    """2 * a for the sum a + a; None for any other sum a + b."""
    raise NotImplementedError("your code here")
