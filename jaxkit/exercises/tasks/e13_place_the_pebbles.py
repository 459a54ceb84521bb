"""13. Place the pebbles.

A loop of n steps is to be reversed, with places for s states, of which one has the
state before the first step.  A step can be reversed from the state before it.  If that
isn't kept, the loop runs on to it from the nearest state that is, and each step that
runs costs one.  While it runs, a state may be kept in a place that is free; a state
that is no longer needed frees its place.

fewest_runs(n, s) is the least cost, and furthest(n, s), for s and n of 2 or more, the
largest number of steps after which the second state can be kept at this least cost.

Example: fewest_runs(3, 1) is 3: two steps run to reverse the third, one to reverse the
second.  fewest_runs(3, 2) is 2: furthest(3, 2) is 2, so the second step starts again
from the first state.
"""


def fewest_runs(n, s):
    """How many steps must run."""
    raise NotImplementedError("your code here")


def furthest(n, s):
    """The largest number of steps after which the second state is kept at that cost."""
    raise NotImplementedError("your code here")
