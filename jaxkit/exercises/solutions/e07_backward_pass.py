"""Reference for exercise 7.

x + y is computed twice, as n3 and n4, both 3; n5 is their product, 9.  The adjoints are
1 at n5, 3 at n3 and at n4 (each times the other), and 3 + 3 = 6 at x and at y.
"""


def backward(tape):
    adjoints = [0.0] * len(tape)
    adjoints[-1] = 1.0
    for n in reversed(range(len(tape))):
        operands, partials = tape[n]
        for a, partial in zip(operands, partials, strict=True):
            adjoints[a] += adjoints[n] * partial
    return adjoints
