import numpy as np

from jaxkit.exercises.cases import Case, Random, call
from jaxkit.exercises.values import show

HINTS = (
    "Take one column. Which columns before it does it meet, and which colours do these "
    "have? An entry of the matrix: in which pass is it, and at which place there?",
    "Two columns meet where their product has a one: np.any(a * b). The first colour that "
    "isn't taken: count from 0 until one isn't in the set of those that are.",
    "Entry (i, j) is passes[colours[j]][i], where the pattern has a one. So "
    "np.transpose(passes)[:, colours] has all entries in their places, and more, which "
    "np.where(pattern, ..., 0.0) takes away.",
)
GOOD = "no two columns of a colour meet; number of colours: at most {}"


def cases():
    random = Random()
    chain = [[1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1]]
    sparse = (abs(random.array(6, 8)) > 1.1).astype(int).tolist()
    band = [[int(abs(i - j) <= 1) for j in range(6)] for i in range(6)]
    arrow = [[int(i == 0 or j in (0, i)) for j in range(5)] for i in range(5)]
    patterns = [chain, band, arrow, sparse, [[1, 1, 1]], [[0, 0], [1, 0]], [[1], [1]]]
    return [
        *[
            Case(
                f"colour({show(pattern)})",
                lambda module, pattern=pattern: judged(pattern, module.colour(pattern)),
                GOOD.format(bound(pattern)),
            )
            for pattern in patterns
        ],
        call("recovered", chain, [0, 1, 0, 1], [[1.0, 4.0, 5.0], [2.0, 3.0, 6.0]]),
        call("recovered", *compressed(band, [j % 3 for j in range(6)], random)),
        call("recovered", *compressed(arrow, [0, 1, 2, 3, 4], random)),
    ]


def meeting(pattern):
    """Which columns meet, as a matrix."""
    pattern = np.array(pattern)
    meet = pattern.T @ pattern > 0
    return meet & ~np.eye(len(meet), dtype=bool)


def bound(pattern):
    """The most colours that the first possible ones can be, in whatever order."""
    return 1 + int(meeting(pattern).sum(0).max())


def judged(pattern, colours):
    """What is to be said of a colouring: `GOOD`, or what is wrong."""
    colours = np.asarray(colours).tolist()
    meet, most = meeting(pattern), bound(pattern)
    if len(colours) != len(meet):
        return f"{len(colours)} colours, but there are {len(meet)} columns: {colours}"
    for j in range(len(meet)):
        for i in range(j):
            if meet[i, j] and colours[i] == colours[j]:
                return f"columns {i} and {j} meet, and have one colour: {colours}"
    if len(set(colours)) > most:
        return f"number of colours: {len(set(colours))}: {colours}"
    if sorted(set(colours)) != list(range(len(set(colours)))):
        return f"the colours aren't 0, 1, 2, ...: {colours}"
    return GOOD.format(most)


def compressed(pattern, colours, random):
    """A pattern and its colours, and what the passes give of a matrix like that."""
    matrix = np.array(pattern) * random.array(*np.shape(pattern))
    passes = [matrix @ (np.array(colours) == k) for k in range(max(colours) + 1)]
    return pattern, colours, np.round(passes, 2).tolist()
