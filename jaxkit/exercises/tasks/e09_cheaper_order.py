"""9. The cheaper order in which to multiply a chain's Jacobians.

Of z = s_n(... s_1(x)) the derivative is J_n ... J_2 J_1.  Forward mode multiplies from
the right, (J_3 (J_2 J_1)), reverse mode from the left, ((J_3 J_2) J_1).  The product of
an (a, b) by a (b, c) matrix takes a * b * c multiplications.

Example: cheaper_order([(50, 50), (50, 50), (1, 50)]) is ("reverse", 5000): from the
left it is (1, 50) by (50, 50), twice, 2500 each.
"""


def cheaper_order(shapes):
    """("forward" or "reverse", number of multiplications); "forward" if they are equal.

    `shapes` are those of J_1, J_2, ..., each (outputs, inputs).
    """
    raise NotImplementedError("your code here")
