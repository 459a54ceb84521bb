"""What `vjp` returns: residuals to read and replace, references to add to, as JAX's."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxkit as jk
from jaxkit.pullbacks import NotNeeded, NotSaveable

W, X, B = jnp.arange(6.0).reshape(3, 2) / 5, jnp.arange(12.0).reshape(4, 3) / 7, 0.3
NEW = "in_nzs" in inspect.signature(jax.vjp).parameters  # JAX 0.11 on


def f(p, x):
    return jnp.sin(x @ p["w"] + p["b"])


P = {"w": W, "b": jnp.array([B, -B])}
CT = jnp.cos(jnp.arange(8.0)).reshape(4, 2)


def close(ours, theirs):
    assert jax.tree.structure(ours) == jax.tree.structure(theirs)
    for y, r in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(y, r, 1e-12, 1e-12)


def test_residuals_are_arguments_and_others():
    _, pull = jk.vjp(f, P, X)
    assert pull.args_res == [{"w": W, "b": NotNeeded}, X] or (
        pull.args_res[0]["w"] is W and pull.args_res[1] is X
    )
    assert pull.args_res[0]["b"] is NotNeeded
    assert [r.shape for r in pull.opaque_residuals] == [(4, 2)]
    close(pull(CT), jax.vjp(f, P, X)[1](CT))


def test_they_may_be_replaced():
    """With other weights: the pullback of the activations, taken with these."""
    _, pull = jk.vjp(f, P, X)
    before = pull(CT)
    other = pull.replace(args_res=[{"w": 2 * W, "b": NotNeeded}, X])
    close(other(CT)[1], 2 * before[1])
    close(pull(CT), before)
    zero = pull.replace(opaque_residuals=[0 * r for r in pull.opaque_residuals])
    assert not any(jnp.any(x) for x in jax.tree.leaves(zero(CT)))
    pull.args_res[1] = 3 * X
    close(pull(CT)[0]["w"], 3 * before[0]["w"])
    pull.opaque_residuals = zero.opaque_residuals
    close(pull(CT), zero(CT))
    with pytest.raises(ValueError, match=r"entries of \[1, 1\] .* of \[2, 1\]"):
        pull.replace(args_res=[W, X])
    with pytest.raises(ValueError, match="there are 0 opaque_residuals"):
        pull.replace(opaque_residuals=[])


@pytest.mark.parametrize("args", [[None, None], [P, None]])
def test_an_argument_may_be_taken_away(args):
    """None stands for all of it, in a compiled function's results too, as in JAX."""

    @jax.jit
    def forward():
        _, pull = jk.vjp(f, P, X)
        pull.args_res = args
        return pull

    pull = forward()
    with pytest.raises(ValueError, match=r"reads .*args_res\[1\], which wasn't kept"):
        pull(CT)
    with pytest.raises(ValueError, match=r"of \[2\] leaves; pass .* of \[2, 1\]"):
        pull.args_res = args[:1]
    pull.args_res = [P, X]
    close(pull(CT), jk.vjp(f, P, X)[1](CT))


def test_what_is_not_kept():
    _, pull = jk.vjp(f, P, X, saveable_args=({"w": False, "b": True}, True))
    assert pull.args_res[0]["w"] is NotSaveable and pull.args_res[1] is X
    assert not any(x is W for x in jax.tree.leaves(pull))
    assert repr(pull).startswith(
        "the transpose, where args_res[0]['w'] isn't there, of"
    )
    for use in (lambda: pull(CT), lambda: pull.T, lambda: pull.program):
        with pytest.raises(
            ValueError, match=r"reads args_res\[0\]\['w'\], which wasn't kept"
        ):
            use()
    pull.args_res[0]["w"] = W
    close(pull(CT), jax.vjp(f, P, X)[1](CT))
    _, pull = jk.vjp(f, P, X, saveable_args=False)
    run = jax.jit(lambda pull, w, x: pull.replace(args_res=[{"w": w, "b": 0}, x])(CT))
    close(run(pull, W, X), jax.vjp(f, P, X)[1](CT))


def test_numbers_may_be_put_there():
    _, pull = jk.vjp(jnp.multiply, 2.0, 3.0)
    close(pull.replace(args_res=[5.0, 7.0])(1.0), (7.0, 5.0))


def test_what_is_passed_on_is_the_argument_itself():
    """Eagerly, too, where a step is one compiled call."""
    a, b = X, X + 1
    _, pull = jk.vjp(lambda a, b: jnp.sin(a) * a * b / b, a, b)
    assert pull.args_res[0] is a and pull.args_res[1] is b
    _, pull = jk.vjp(jnp.multiply, a, b)
    assert pull.opaque_residuals == []
    close(
        pull.replace(args_res=[a, 2 * b])(CT[:, :1] * X),
        (CT[:, :1] * X * 2 * b, CT[:, :1] * X * a),
    )


def test_factors_of_a_product_are_arguments():
    a, b = X, X + 1
    _, pull = jk.vjp(lambda a, b: jnp.sin(a) * a * b, a, b, saveable_args=(False, True))
    assert pull.args_res[0] is NotSaveable and pull.args_res[1] is b
    pull.args_res[0] = a
    close(pull(X), jax.vjp(lambda a, b: jnp.sin(a) * a * b, a, b)[1](X))


@pytest.mark.parametrize("x", [W[:2], W.astype(jnp.float32), W[0, 0]])
def test_residuals_of_another_type(x):
    _, pull = jk.vjp(f, P, X)
    with pytest.raises(
        ValueError, match=r"a residual is .*, and the backward pass reads"
    ):
        pull.replace(args_res=[{"w": x, "b": NotNeeded}, X])(CT)


def test_of_a_compiled_function():
    """It goes through `jit` with what it keeps, and what it doesn't."""

    @jax.jit
    def linearized(p, x):
        return jk.vjp(f, p, x, saveable_args=(True, False))[1]

    pull = linearized(P, X)
    assert pull.args_res[1] is NotSaveable
    pull.args_res[1] = X
    close(pull(CT), jax.vjp(f, P, X)[1](CT))
    close(pull.T.T(CT), pull(CT))


def test_inputs_that_do_not_move():
    g = lambda p, x, n: {"sin": jnp.sin(p["w"]), "x": x * 2, "n": n}  # noqa: E731
    _, pull = jk.vjp(g, P, X, 3, in_nzs=(False, True, True))
    assert pull.out_nzs == {"sin": False, "x": True, "n": False}
    cts = {"sin": W, "x": X, "n": np.zeros((), jax.dtypes.float0)}
    found = pull(cts)
    close(found[:2], ({"w": 0 * W, "b": 0 * P["b"]}, 2 * X))
    if NEW:
        _, theirs = jax.vjp(g, P, X, 3, in_nzs=(False, True, True))
        # A tuple of all leaves in JAX 0.11.
        assert jax.tree.leaves(theirs.out_nzs) == jax.tree.leaves(pull.out_nzs)
        close(found[:2], theirs(cts)[:2])
    _, half = jk.vjp(f, P, X, in_nzs=({"w": True, "b": False}, False))
    expected = jax.vjp(f, P, X)[1](CT)
    close(half(CT), ({"w": expected[0]["w"], "b": 0 * P["b"]}, 0 * X))
    assert half.out_nzs is True
    assert jk.vjp(f, P, X, in_nzs=False)[1].out_nzs is False


def test_misuse_of_flags():
    for name in "saveable_args", "in_nzs":
        with pytest.raises(ValueError, match=f"vjp: {name} isn't a prefix"):
            jk.vjp(f, P, X, **{name: (True, True, True)})
        with pytest.raises(ValueError, match=f"vjp: {name} has 1 of .*int"):
            jk.vjp(f, P, X, **{name: 1})


@pytest.mark.parametrize("run", [lambda f: f, jax.jit], ids=["eager", "jit"])
def test_cotangents_are_added_to_references(run):
    def added(lib, total):
        _, pull = lib.vjp(f, P, X)
        references = {"w": total, "b": jax.ad.GradValue()}, jax.ad.DontWant()
        found = pull.with_refs(*references)(CT)
        assert type(found[0]["w"]) is jax.ad.GradRef
        assert type(found[1]) is jax.ad.DidntWant
        return found[0]["b"]

    totals = {}
    for lib in jk, jax:
        total = jax.new_ref(jnp.ones((3, 2)))
        b = run(lambda total, lib=lib: added(lib, total))(total)
        totals[lib] = total[...], b
    close(totals[jk], totals[jax])
    close(totals[jk][0], 1 + jax.vjp(f, P, X)[1](CT)[0]["w"])


def test_what_is_not_wanted_is_not_computed():
    g = lambda x, y: jnp.sin(x) @ y  # noqa: E731
    _, pull = jk.vjp(g, W, W.T)
    both, one = (
        str(jax.make_jaxpr(pull.with_refs(a, jax.ad.GradValue()))(jnp.ones((3, 3))))
        for a in (jax.ad.GradValue(), jax.ad.DontWant())
    )
    assert both.count("dot_general") == 2 and one.count("dot_general") == 1


def test_references_that_do_not_fit():
    _, pull = jk.vjp(f, P, X)
    keep = jax.ad.GradValue()
    with pytest.raises(ValueError, match="with_refs takes an entry for each leaf"):
        pull.with_refs(keep, keep)
    wrong = jax.new_ref(jnp.zeros(3))
    with pytest.raises(ValueError, match=r"argument 1 a reference to .*\[3\]; pass a"):
        pull.with_refs({"w": keep, "b": keep}, wrong)
    with pytest.raises(
        ValueError, match=r"with_refs has for argument 1 .*; pass a ref"
    ):
        pull.with_refs({"w": keep, "b": keep}, X)


@pytest.mark.skipif(jax.__version_info__ < (0, 12), reason="of JAX 0.12 on")
def test_a_part_of_a_reference_takes_no_cotangent():
    _, pull = jk.vjp(jnp.sin, X)
    with pytest.raises(ValueError, match="argument 0 a part of a reference; pass"):
        pull.with_refs(jax.new_ref(X).at[1:])
