"""Reference for exercise 9."""


def cheaper_order(shapes):
    inputs, outputs = shapes[0][1], shapes[-1][0]
    forward = sum(a * b * inputs for a, b in shapes[1:])
    reverse = sum(outputs * a * b for a, b in shapes[:-1])
    return ("forward", forward) if forward <= reverse else ("reverse", reverse)
