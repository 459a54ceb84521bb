"""Reference for exercise 5.

c² = a and 2 c d = b, so sqrt(a + bε) = sqrt(a) + b / (2 sqrt(a)) ε.  At 4 + ε that is 2
+ 0.25ε, as np.sqrt has it.
"""


def divide(a, da, b, db):
    return a / b, (da * b - a * db) / (b * b)
