"""5. Division of dual numbers.

    (a + da ε) / (b + db ε),    where ε * ε = 0

Multiply both by (b - db ε): the denominator becomes b * b.  What is the numerator?

Example: divide(3.0, 4.0, 5.0, 7.0), which is (3 + 4ε) / (5 + 7ε), is (0.6, -0.04).
"""


def divide(a, da, b, db):
    """(value, epsilon part) of the quotient; b is not 0."""
    raise NotImplementedError("your code here")
