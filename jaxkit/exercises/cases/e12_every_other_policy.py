from jaxkit.exercises.cases import call

HINTS = (
    "Write down for n = 5, step by step, which value is needed, and whether it is there.",
    "s_1 is the first that is kept. The last value that a step needs is s_(n-1), so s_n "
    "is never computed again, nor is s_0; the pass goes from n down.",
    "Kept are the odd numbers to n; computed again are the even ones below n, falling, "
    "down to 2.",
)


def cases():
    return [call("every_other", n) for n in (5, 6, 1, 2, 3, 0, 20)]
