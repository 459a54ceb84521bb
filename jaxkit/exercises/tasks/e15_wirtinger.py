"""15. Two derivatives of a function of a complex number.

Write z = x + i y.  A function f of z moves along the real direction by df/dx, and along
the imaginary one by df/dy; `jk.jvp` gives both, for the tangents 1 and i.  From them

    df/dz = (df/dx - i df/dy) / 2        how f moves with z
    df/dz* = (df/dx + i df/dy) / 2       how f moves with the conjugate of z

The second is 0 exactly where f is holomorphic: where it has a complex derivative.

Example: of f(z) = z * conj(z) at z = 3 + 4i they are 3 - 4i and 3 + 4i.
"""


def wirtinger(f, z):
    """(df/dz, df/dz*) at the complex number z; f returns a complex number."""
    raise NotImplementedError("your code here")


def moved(f, z, dz):
    """The derivative of f at z along dz, from `wirtinger` alone, without jvp."""
    raise NotImplementedError("your code here")
