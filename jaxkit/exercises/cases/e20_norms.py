import jax
import jax.numpy as jnp
import numpy as np

from jaxkit.exercises.cases import Case, Random
from jaxkit.exercises.values import close, show

HINTS = (
    "Write the outer product of [3, 4] and [0, 2, 0] down, and the sum of its squares. "
    "Which numbers does each of them stand beside? Of two places: does it matter whether "
    "their gradients point the same way?",
    "The sum of (x[i] g[j])², over all i and j, is the sum of x[i]² times the sum of "
    "g[j]². Of a sum of two arrays the norm's square is that of each, and twice the sum "
    "of their products; of outer products the latter is (x1 . x2) (g1 . g2).",
    "For sequences, x @ x.transpose(0, 2, 1) has the product of any two places' x, and "
    "the same with g theirs. Multiply the two entry by entry, sum over both axes of "
    "places, and take the root.",
)
SMALL = "no array with more entries than x or g"


def cases():
    random = Random()
    some = [random.array(4, 3), random.array(4, 2)]
    still = [random.array(2, 3), np.zeros((2, 4))]
    places = [random.array(2, 3, 2), random.array(2, 3, 4)]
    opposite = [np.array([[[3.0], [4.0]]]), np.array([[[1.0], [-1.0]]])]
    one = [random.array(3, 1, 2), random.array(3, 1, 2)]
    wide = [random.array(5, 40), random.array(5, 30)]
    long = [random.array(4, 6, 40), random.array(4, 6, 30)]
    example = [np.array([[3.0, 4.0]]), np.array([[0.0, 2.0, 0.0]])]
    return [
        *[case("norms", *pair) for pair in (example, some, still)],
        *[case("norms_of_sequences", *pair) for pair in (opposite, places, one)],
        arrays("norms", *wide),
        arrays("norms_of_sequences", *long),
    ]


def case(name, x, g):
    """What a function returns for these, or what is wrong with it."""
    text = f"{name}({show(x)}, {show(g)})"
    expected = shown(true(x, g))

    def run(module):
        return judged(x, g, getattr(module, name)(jnp.asarray(x), jnp.asarray(g)))

    return Case(text, run, expected)


def arrays(name, x, g):
    """Whether the program of a function is without large arrays."""
    shapes = " and g ".join(str(a.shape) for a in (x, g))

    def run(module):
        most = max(sizes(jax.make_jaxpr(getattr(module, name))(x, g)), default=0)
        return SMALL if most <= max(x.size, g.size) else f"an array with {most} entries"

    return Case(f"the arrays in {name} for x of shape {shapes}", run, SMALL)


def sizes(program):
    """The sizes of all arrays in a program, those of what it calls too."""
    for eqn in getattr(program, "jaxpr", program).eqns:
        yield from (v.aval.size for v in eqn.outvars)
        for inner in jax.tree.leaves([*eqn.params.values()], is_leaf=is_program):
            if is_program(inner):
                yield from sizes(inner)


def is_program(x):
    return hasattr(x, "eqns")


def true(x, g):
    """The norms, by way of the gradients."""
    x, g = (a if a.ndim == 3 else a[:, None] for a in (x, g))
    return np.linalg.norm(np.swapaxes(x, 1, 2) @ g, axis=(1, 2))


def shown(norms):
    return show(np.round(norms, 4))


def judged(x, g, found):
    """What is to be said of norms: the numbers, and what they are if they are wrong."""
    found, right = np.asarray(found, float), true(x, g)
    if found.shape != right.shape:
        came = f"an array of shape {found.shape}" if found.ndim else "a number"
        return f"{came}; there is a norm for each of the {len(x)} samples"
    if close(found, right):
        return shown(right)
    for what, numbers in mistakes(x, g).items():
        if close(found, numbers):
            return f"{shown(found)}: {what}"
    return shown(found)


def mistakes(x, g):
    """What comes out where something was forgotten."""
    found = {"the squares of the norms": true(x, g) ** 2}
    norms = [np.linalg.norm(a, axis=-1) for a in (x, g)]
    if x.ndim == 2:
        return found | {"the sums of both norms, not their products": sum(norms)}
    places = norms[0] * norms[1]
    whole = [np.linalg.norm(a, axis=(1, 2)) for a in (x, g)]
    return found | {
        "the norms of the places' gradients, summed": np.sum(places, 1),
        "without the products of different places": np.linalg.norm(places, axis=1),
        "the norm of x times that of g, right for one place": whole[0] * whole[1],
    }
