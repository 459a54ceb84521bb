"""Reference for exercise 10."""

import jaxkit as jk


def hvp(f, x, v):
    return jk.jvp(jk.grad(f), (x,), (v,))[1]
