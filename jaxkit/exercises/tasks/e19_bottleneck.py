"""19. Find the bottleneck, and eliminate a vertex.

A chain of steps takes widths[0] numbers to widths[1], and so on, to widths[-1].  Cut at
place k, inside the chain: the Jacobian of the part before is multiplied from the left,
as in reverse mode, that of the part behind from the right, as in forward mode, and then
the two with each other.  As in exercise 9, the product of an (a, b) by a (b, c) matrix
takes a * b * c multiplications.

Example: bottleneck([500, 500, 3, 500, 500]) is (2, 2250000): 3 * 500 * 500 for each
part, and 500 * 3 * 500 for the last product.

A graph of numbers has edges {(a, b): partial of b by a}.  When a vertex is eliminated,
each edge into it is multiplied by each edge out of it.  The product is an edge past the
vertex, or is added to the one that is there.  The edges of the vertex are gone.

Example: eliminate({(0, 1): 2.0, (1, 2): 3.0, (0, 2): 1.0}, 1) is {(0, 2): 7.0}.
"""


def bottleneck(widths):
    """(the place k of the cheapest cut, its multiplications); the first of several."""
    raise NotImplementedError("your code here")


def eliminate(edges, vertex):
    """The edges that are left, as a new dict; `edges` stay as they are."""
    raise NotImplementedError("your code here")
