"""Reference for exercise 4."""


def twice(a, b):
    return 2 * a if a is b else None
