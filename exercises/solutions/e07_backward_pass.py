"""Reference for exercise 7."""


def backward(tape):
    adjoints = [0.0] * len(tape)
    adjoints[-1] = 1.0
    for n in reversed(range(len(tape))):
        operands, partials = tape[n]
        for a, partial in zip(operands, partials, strict=True):
            adjoints[a] += adjoints[n] * partial
    return adjoints
