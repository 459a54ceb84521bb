"""Reference for exercise 19.

On a path each inner vertex has one edge in and one out, and so has each that is left
when others are gone: n multiplications, in any order.  Orders differ where a vertex has
several edges on both sides: it takes their product, and leaves more edges to those that
are eliminated after it.
"""


def bottleneck(widths):
    first, last = widths[0], widths[-1]
    costs = []
    for k in range(1, len(widths) - 1):
        through = widths[k]
        before = [widths[i] * widths[i + 1] for i in range(k - 1)]
        behind = [widths[i] * widths[i + 1] for i in range(k + 1, len(widths) - 1)]
        cost = through * sum(before + behind) + first * through * last
        costs.append((cost, k))
    cost, k = min(costs)
    return k, cost


def eliminate(edges, vertex):
    left = {pair: value for pair, value in edges.items() if vertex not in pair}
    for (a, end), first in edges.items():
        for (start, b), second in edges.items():
            if end == vertex == start:
                left[a, b] = left.get((a, b), 0.0) + first * second
    return left
