import numpy as np

from jaxkit.exercises.cases import Random, call

HINTS = (
    "Write the matrix of A for three entries, and exchange its rows and columns.",
    "Three: entry j goes into all sums from j on. Four: x[j] comes in twice, with + and "
    "with -. Six: put zeros where nothing was taken. Seven: what was taken twice gets "
    "two shares. Ten: slide k over ct.",
    "np.cumsum of the reversed, reversed; -np.diff with prepend=0 and append=0; "
    "np.bincount(i, ct, n) adds up by place; np.correlate(ct, k, 'valid').",
)


def cases():
    random = Random()
    W, V = random.array(2, 3), random.array(4, 2)
    i = np.array([0, 2, 2, 4, 0])
    return [
        call("reverse", np.array([1.0, 2.0, 3.0])),
        call("roll", random.array(4)),
        call("cumsum", random.array(4)),
        call("differences", random.array(3)),
        call("differences", random.array(1)),
        call("pad", random.array(6)),
        call("every_other", random.array(3), 6),
        call("every_other", random.array(3), 5),
        call("gather", random.array(5), i, 6),
        call("between", random.array(2, 2), W, V),
        call("mean", 2.0, 4),
        call("convolve", random.array(6), random.array(3)),
        call("convolve", random.array(4), random.array(1)),
    ]
