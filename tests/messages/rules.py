"""Misuses: rules that users give, to JAX or to jaxkit, that are ill-formed."""

import jax
import jax.numpy as jnp
from jax.extend.core import Primitive

from tests.messages.cases import X, chapter

misuse = chapter("`jax.custom_jvp`")


@misuse("No rule", where="function f", do="defjvp")
def _(t):
    @jax.custom_jvp
    def f(x):
        return x

    t.grad(f)(1.0)


@misuse(
    "A tangent of another shape",
    where="Custom JVP rule",
    got="float64[2]",
    do="float64[3]",
)
def _(t):
    @jax.custom_jvp
    def f(x):
        return x

    f.defjvp(lambda primals, tangents: (primals[0], tangents[0][:2]))
    t.jvp(f, (X,), (X,))


@misuse(
    "A tangent of another dtype",
    where="Custom JVP rule",
    got="float32[3]",
    do="float64[3]",
)
def _(t):
    @jax.custom_jvp
    def f(x):
        return x

    f.defjvp(lambda xs, dxs: (xs[0], dxs[0].astype(jnp.float32)))
    t.jvp(f, (X,), (X,))


@misuse("The rule returns no pair", where="function f", do="pair")
def _(t):
    @jax.custom_jvp
    def f(x):
        return x

    f.defjvp(lambda primals, tangents: tangents[0])
    t.grad(f)(1.0)


@misuse("The rule returns nothing", where="function f", got="None", do="pair")
def _(t):
    @jax.custom_jvp
    def f(x):
        return x

    @f.defjvp
    def f_jvp(primals, tangents):
        primals[0], tangents[0]

    t.grad(f)(1.0)


@misuse(
    "Tangents of another structure",
    where="function f",
    do="equal container (pytree) structures",
)
def _(t):
    @jax.custom_jvp
    def f(x):
        return x, x

    f.defjvp(lambda xs, dxs: (f(xs[0]), dxs[0]))
    t.grad(lambda x: f(x)[0])(1.0)


@misuse(
    "A rule that isn't linear in its tangents",
    where="'mul'",
    do="Only linear operations",
)
def _(t):
    @jax.custom_jvp
    def f(x):
        return x

    f.defjvp(lambda xs, dxs: (xs[0], dxs[0] * dxs[0]))  # HERE
    t.grad(f)(2.0)


@misuse(
    "A rule that takes the sine of a tangent",
    where="'sin'",
    do="Only linear operations",
)
def _(t):
    @jax.custom_jvp
    def f(x):
        return x

    f.defjvp(lambda xs, dxs: (xs[0], jnp.sin(dxs[0])))  # HERE
    t.grad(f)(2.0)


@misuse(
    "A value that depends on a tangent",
    where="primal output",
    do="from the primals alone",
)
def _(t):
    @jax.custom_jvp
    def f(x):
        return x

    f.defjvp(lambda xs, dxs: (dxs[0], dxs[0]))
    t.grad(f)(1.0)


misuse = chapter("`jax.custom_vjp`")


@misuse("No rule", where="function f", do="defvjp")
def _(t):
    @jax.custom_vjp
    def f(x):
        return x

    t.grad(f)(1.0)


@misuse("The forward rule returns no pair", where="function f", do="pair")
def _(t):
    @jax.custom_vjp
    def f(x):
        return x

    f.defvjp(lambda x: x, lambda res, ct: (ct,))
    t.grad(f)(1.0)


@misuse("The backward rule returns no tuple", where="Custom VJP bwd rule", do="tuple")
def _(t):
    @jax.custom_vjp
    def f(x):
        return x

    f.defvjp(lambda x: (x, None), lambda res, ct: ct)
    t.grad(f)(1.0)


@misuse(
    "A cotangent too few",
    where="Custom VJP bwd rule",
    do="must produce a tuple of length",
)
def _(t):
    @jax.custom_vjp
    def f(x, y):
        return x * y

    f.defvjp(lambda x, y: (x * y, None), lambda res, ct: (ct,))
    t.grad(f)(1.0, 2.0)


@misuse(
    "A cotangent of another shape", where="bwd rule", got="float64[2]", do="float64[3]"
)
def _(t):
    @jax.custom_vjp
    def f(x):
        return x

    f.defvjp(lambda x: (x, None), lambda res, ct: (ct[:2],))
    t.vjp(f, X)[1](X)


@misuse("A cotangent of another dtype", got="float32", foreign=True)
def _(t):
    @jax.custom_vjp
    def f(x):
        return x

    f.defvjp(lambda x: (x, None), lambda res, ct: (ct.astype(jnp.float32),))
    t.vjp(lambda x: x * f(x), X)[1](X)


@misuse(
    "The forward rule returns another structure",
    where="the function",
    got="(float64[], float64[])",
    do="return one of its leaves",
)
def _(t):
    @jax.custom_vjp
    def f(x):
        return x

    f.defvjp(lambda x: ((x, x), None), lambda res, ct: (ct,))
    t.grad(f)(1.0)


@misuse(
    "Forward mode, where the backward rule isn't linear",
    where="'clipped'",
    do="Use reverse mode",
)
def _(t):
    @jax.custom_vjp
    def clipped(x):
        return x

    clipped.defvjp(lambda x: (x, None), lambda _, ct: (jnp.clip(ct, -1, 1),))
    t.jvp(clipped, (1.0,), (1.0,))


@misuse(
    "A value that moves, for an argument that is not differentiated",
    do="nondiff_argnums",
)
def _(t):
    f = jax.custom_vjp(lambda scale, x: scale * x, nondiff_argnums=(0,))
    f.defvjp(lambda s, x: (s * x, None), lambda s, _, ct: (s * ct,))
    t.grad(f)(2.0, 3.0)


misuse = chapter("`jaxkit.rules`")


def product():
    """A primitive of one's own, which multiplies."""
    product_p = Primitive("product")
    product_p.def_impl(lambda x, y: x * y)
    product_p.def_abstract_eval(lambda x, y: x)
    return product_p


@misuse(
    "A partial too few",
    where="'product'",
    got="1 partials",
    do="one for each",
    only=True,
)
def _(t):
    product_p = product()
    t.rules.elementwise(product_p, lambda z, x, y: y)
    t.grad(lambda x: product_p.bind(x, 2.0))(1.0)


@misuse(
    "A partial too many, of `together`",
    where="'product'",
    got="3 partials",
    do="one for each",
    only=True,
)
def _(t):
    product_p = product()
    t.rules.elementwise(product_p, together=lambda z, x, y: (y, x, z))
    t.grad(lambda x: product_p.bind(x, 2.0))(1.0)


@misuse(
    "A partial of another shape", where="'product'", got="(2,)", do="(3,)", only=True
)
def _(t):
    product_p = product()
    t.rules.elementwise(product_p, lambda z, x, y: y[:2], lambda z, x, y: x)
    t.grad(lambda x: jnp.sum(product_p.bind(x, X)))(X)


@misuse("Neither partials nor `together`", where="'product'", do="either", only=True)
def _(t):
    t.rules.elementwise(product())


@misuse(
    "A term too few", where="'product'", got="1 terms", do="one for each", only=True
)
def _(t):
    product_p = product()
    t.rules.custom(product_p, lambda dx, z, x, y: dx * y)
    t.grad(lambda x: product_p.bind(x, 2.0))(1.0)


@misuse(
    "A tangent of another shape",
    where="'product'",
    got="float64[2]",
    do="must be float64[3]",
    only=True,
)
def _(t):
    product_p = product()

    @t.rules.custom(product_p)
    def rule(primals, tangents):
        x, y = primals
        return x * y, (tangents[0] * y)[:2]

    t.jvp(lambda x: product_p.bind(x, X), (X,), (X,))


@misuse(
    "A tangent of another dtype",
    where="'product'",
    got="float32[3]",
    do="must be float64[3]",
    only=True,
)
def _(t):
    product_p = product()

    @t.rules.custom(product_p)
    def rule(primals, tangents):
        x, y = primals
        return x * y, (tangents[0] * y).astype(jnp.float32)

    t.jvp(lambda x: product_p.bind(x, X), (X,), (X,))


@misuse("The rule returns no pair", where="'product'", do="pair", only=True)
def _(t):
    product_p = product()

    @t.rules.custom(product_p)
    def rule(primals, tangents):
        return tangents[0] * primals[1]

    t.grad(lambda x: product_p.bind(x, 2.0))(1.0)


@misuse(
    "A rule that isn't linear in its tangents",
    where="'mul'",
    do="Only linear operations",
    only=True,
)
def _(t):
    product_p = product()

    @t.rules.custom(product_p)
    def rule(primals, tangents):
        x, y = primals
        return x * y, tangents[0] * tangents[0]  # HERE

    t.grad(lambda x: product_p.bind(x, 2.0))(1.0)


@misuse(
    "A transpose that returns another shape",
    where="'product'",
    got="float64[2]",
    do="must be float64[3]",
    only=True,
)
def _(t):
    product_p = product()
    t.rules.bilinear(product_p, lambda ct, x, y: (ct * y)[:2], lambda ct, x, y: x * ct)
    t.grad(lambda x: jnp.sum(product_p.bind(x, X)))(X)


@misuse(
    "An operator without a transpose",
    where="'product'",
    do="jaxkit.rules.transposable",
    only=True,
)
def _(t):
    product_p = product()

    @t.rules.custom(product_p)
    def rule(primals, tangents):
        x, y = primals
        return x * y, product_p.bind(tangents[0], y)  # HERE

    t.grad(lambda x: product_p.bind(x, 2.0))(1.0)


@misuse(
    "A rule that is looked up by its function",
    got="function",
    do="by primitive",
    only=True,
)
def _(t):
    t.rules[jnp.sin]


@misuse(
    "A rule that isn't there",
    where="'mystery'",
    do="add one with jaxkit.rules",
    only=True,
)
def _(t):
    t.rules[Primitive("mystery")]
