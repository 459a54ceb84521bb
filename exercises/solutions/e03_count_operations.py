"""Reference for exercise 3."""

from collections import Counter


def count_operations(jaxpr):
    counts = Counter()
    for eqn in jaxpr.eqns:
        if eqn.primitive.name == "jit":
            counts.update(count_operations(eqn.params["jaxpr"]))
        else:
            counts[eqn.primitive.name] += 1
    return dict(counts)
