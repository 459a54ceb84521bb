"""Reference for exercise 4.

The raw tree has 25 nodes, the pruned one 17; x·x·x·x itself has 7.  By hand it is 4 x³,
which pruning can't see: it makes products smaller, and doesn't collect equal terms.
"""


def twice(a, b):
    return 2 * a if a is b else None
