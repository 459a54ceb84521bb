"""20. Norms without gradients.

A layer y = x W is run on a batch.  Of each sample there is x, an array of shape (a,),
and g, the cotangent that arrived at y, of shape (b,).  The sample's gradient by W is
their outer product, of shape (a, b).  Its norm is the root of the sum of all its
entries' squares; find it without the gradient.

If the sample is a sequence of t places, x has the shape (t, a) and g the shape (t, b).
Its gradient is the sum of the places' gradients, x.T @ g.

The batch is the first axis: x has the shape (samples, a) or (samples, t, a).  The check
also looks at the program that you run, `jax.make_jaxpr` (so use `jnp`): no array in it
may have more entries than there are in x or in g, whichever has more.

Example: of x = [[3, 4]] and g = [[0, 2, 0]] the one gradient is [[0, 6, 0], [0, 8, 0]],
and norms(x, g) is [10].  With x = [[[3], [4]]] and g = [[[1], [-1]]], two places, the
gradient is [[3 - 4]], and its norm 1.
"""


def norms(x, g):
    """The norm of each sample's gradient, of shape (samples,)."""
    raise NotImplementedError("your code here")


def norms_of_sequences(x, g):
    """The same of sequences: x is (samples, t, a), and g (samples, t, b)."""
    raise NotImplementedError("your code here")
