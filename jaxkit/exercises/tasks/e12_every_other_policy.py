"""12. Keep every other value.

A chain computes s_1, ..., s_n from s_0, which is always known.  The backward pass takes
the steps k = n, n - 1, ..., 1, and step k needs the value s_(k-1).  Only s_1, s_3, s_5,
... are kept, up to s_n.  A value that is needed and was not kept is computed again,
from the one before it, when it is needed.

Which numbers are kept, and which are computed again, in which order?  About half are
kept, and no value is computed again twice.

Example: every_other(5) is ([1, 3, 5], [4, 2]), and every_other(6) is
([1, 3, 5], [4, 2]): no step needs s_6.
"""


def every_other(n):
    """(numbers kept, rising; numbers computed again, in the order of the pass)."""
    raise NotImplementedError("your code here")
