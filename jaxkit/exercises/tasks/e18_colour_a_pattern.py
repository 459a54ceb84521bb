"""18. Colour a pattern.

A pattern is a matrix of zeros and ones: where a Jacobian may differ from zero.  Two
columns meet if both have a one in some row.  Columns that never meet may share a pass:
they may have the same colour.  Go through the columns from left to right, and give each
the first colour that it may have.  (Another order is welcome, as long as each colour is
the first that is possible.)

A pass of colour k gives the product of the matrix with the sum of the unit vectors of
that colour.  `recovered` puts the entries of the matrix back into their places.

Example: in [[1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1]] column 0 meets column 1, which
meets column 2, which meets column 3.  Two colours do, [0, 1, 0, 1].  Of the matrix
[[1, 2, 0, 0], [0, 3, 4, 0], [0, 0, 5, 6]] the passes give [1, 4, 5] and [2, 3, 6].
"""


def colour(pattern):
    """A list with the colour of each column, from 0; those of a colour never meet."""
    raise NotImplementedError("your code here")


def recovered(pattern, colours, passes):
    """The matrix, as an array; row k of `passes` is what the pass of colour k gave."""
    raise NotImplementedError("your code here")
