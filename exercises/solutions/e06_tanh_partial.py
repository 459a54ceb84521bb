"""Reference for exercise 6."""


def partial(y, x):
    return 1 - y * y
