from jaxkit.exercises.cases import call

HINTS = (
    "With the second state after m steps, two smaller problems of the same kind are "
    "left. How many steps, and how many places, has each?",
    "Let the second state be after m steps: m steps run to it, the n - m behind it are "
    "reversed with s - 1 places, then the m before it with s. Try all m, and remember "
    "what was computed. One place: 1 + 2 + ... + (n - 1).",
    "`functools.cache` remembers. The cost is the least of m + fewest_runs(n - m, s - 1) "
    "+ fewest_runs(m, s) over m = 1, ..., n - 1, and furthest is the largest m at which "
    "it is that.",
)


def cases():
    sizes = (3, 1), (3, 2), (1, 1), (7, 2), (10, 3), (35, 3), (40, 5), (30, 9)
    return [
        *[call("fewest_runs", n, s) for n, s in sizes],
        *[call("furthest", n, s) for n, s in sizes if n > 1 and s > 1],
    ]
