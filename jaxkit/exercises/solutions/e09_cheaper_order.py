"""Reference for exercise 9.

Their product is a matrix of 100 by 100, and takes 100 * 2 * 100 = 20,000
multiplications. Applied one after the other they take 2 * 100 + 100 * 2 = 400.  So
where a chain is narrow, keep the factors, and don't multiply them.
"""


def cheaper_order(shapes):
    inputs, outputs = shapes[0][1], shapes[-1][0]
    forward = sum(a * b * inputs for a, b in shapes[1:])
    reverse = sum(outputs * a * b for a, b in shapes[:-1])
    return ("forward", forward) if forward <= reverse else ("reverse", reverse)
