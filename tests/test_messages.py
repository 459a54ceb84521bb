"""Bad input: the same kind of exception as in JAX, and an exact, helpful message.

The misuses stand in tests/messages, and docs/messages.md shows them.
"""

import re
import subprocess
import sys
import traceback
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.core import Primitive
from jax.interpreters import mlir

import jaxkit as jk
from tests.messages.cases import MARK, Misuse, square, total
from tests.messages.page import MISUSES
from tests.messages.said import INTERNAL, Said, faults, legible
from tests.pages import document


@pytest.mark.parametrize("misuse", MISUSES, ids=lambda misuse: misuse.title)
def test_message(misuse):
    assert not list(faults(misuse))


def test_page_is_up_to_date():
    shown = document("messages").read_text()
    if f"with JAX {jax.__version__};" in shown:
        # By itself: JAX says of what it has traced before where that was first called.
        command = sys.executable, "-m", "tests.messages", "--check"
        done = subprocess.run(command, text=True, capture_output=True)
        assert not done.returncode, done.stdout
    assert all(misuse.code in shown for misuse in MISUSES)


def test_misuses_are_many_and_their_messages_say_what_to_do():
    assert len(MISUSES) >= 50
    for misuse in MISUSES:
        assert misuse.do or misuse.foreign
        assert (MARK in misuse.code) == bool(misuse.marked)


def test_what_a_message_lacks_is_found():
    def by_argument(t):
        raise TypeError("argument 0")

    def in_jax(t):
        t.grad(square)(1.0) if t is jax else jnp.reshape(jnp.ones(3), 2)

    def nothing(t):
        return 3.0

    def another(t):
        raise TypeError if t is jax else ValueError

    assert not list(faults(Misuse("", by_argument, where="argument 0")))
    lacking = faults(Misuse("", by_argument, where="argument 1", got="int32[]"))
    assert list(lacking) == ["it lacks 'argument 1'", "it lacks 'int32[]'"]
    assert list(faults(Misuse("", nothing))) == ["it says nothing"]
    assert list(faults(Misuse("", another))) == ["it is no TypeError"]
    assert re.match(r"\d frames inside jaxkit and JAX", *faults(Misuse("", in_jax)))


def test_a_message_in_the_page_has_no_paths_and_addresses():
    misuse = next(misuse for misuse in MISUSES if misuse.marked)
    raised = (
        f"<f at 0x7f0c> at {misuse.file}:{misuse.marked}:7 (_.<locals>.f) " + "x" * 999
    )
    text = legible(misuse, Said(ValueError, raised))
    line = misuse.marked - misuse.first + 1
    assert text.startswith(f"ValueError: <f at 0x...> at program.py:{line} (f) xxx")
    assert text.endswith("x [...]")


# What is wrong with a call of f(x) that a transform of f makes, whichever it is.
CALLS = {
    "no function": lambda t: t(3.0)(2.0),
    "a string": lambda t: t(square)("x"),
    "an integer": lambda t: t(square)(3),
    "a complex number": lambda t: t(jnp.abs, holomorphic=True)(2.0),
    "too few arguments": lambda t: t(square, argnums=1)(2.0),
    "no such name": lambda t: t(square, argnames="z")(2.0),
    "argnums as a float": lambda t: t(square, argnums=0.5)(2.0),
    "an argument twice": lambda t: t(square, argnums=(0, 0))(2.0),
    "a string returned": lambda t: t(lambda x: "x")(2.0),
    "a real number returned": lambda t: t(jnp.real, holomorphic=True)(2j),
    "no pair": lambda t: t(square, has_aux=True)(2.0),
}
CALLED = ["grad", "value_and_grad", "jacfwd", "jacrev", "jacobian", "hessian"]


@pytest.mark.parametrize("name", CALLED)
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_message_names_what_was_called(name, call):
    """And not what that is made of: `hessian` of `jacfwd` and `jacrev`."""
    with pytest.raises((TypeError, ValueError), match=f"^{name}: "):
        call(getattr(jk, name))


@pytest.mark.parametrize("name", ["explain", "stages"])
@pytest.mark.parametrize("f", [lambda x: "x", lambda x: None])
def test_explained_functions_return_arrays(name, f):
    with pytest.raises(TypeError, match=f"^{name}: the .*function"):
        getattr(jk, name)(f)(2.0)


def test_what_a_transform_has_not_got_is_no_advice():
    for call in (
        lambda: jk.hessian(square)(3),
        lambda: jk.hvp(square, (3,), (1,)),
        lambda: jk.hvp(square, (3,), (np.zeros((), jax.dtypes.float0),)),
    ):
        with pytest.raises(TypeError, match=r"argument 0 is int.*pass 3.0\.\n"):
            call()


# --- Tracebacks -----------------------------------------------------------------------


def frames(error):
    return [frame.f_code.co_filename for frame, _ in traceback.walk_tb(error)]


def fails(x):
    raise KeyError("mine")


@pytest.mark.parametrize("inside", [fails, jax.jit(fails), jk.grad(fails)])
def test_tracebacks_show_the_users_frames(inside):
    for call in (
        jk.grad(inside),
        jax.jit(jk.grad(inside)),
        jk.hessian(inside),
        jax.vmap(jk.jacrev(inside)),
        lambda x: jk.jvp(inside, (x,), (x,)),
        lambda x: jk.linearize(inside, x),
        lambda x: jk.explain(inside)(x),
        lambda x: jk.stages(inside)(x),
    ):
        with pytest.raises(KeyError, match="mine") as error:
            call(np.ones(1))
        files = frames(error.value.__traceback__)
        assert set(files) == {__file__}
        assert error.traceback[-1].name == "fails"


def test_a_pullback_shows_the_users_frames():
    _, pull = jk.vjp(square, 2.0)
    for call in (lambda: pull("x"), lambda: pull.T(1, 2)):
        with pytest.raises((TypeError, ValueError)) as error:
            call()
        assert set(frames(error.value.__traceback__)) == {__file__}


def test_hidden_frames_are_shown_by_jaxs_switch():
    with pytest.raises(KeyError) as error:
        jk.grad(fails)(1.0)
    (note,) = error.value.__notes__
    assert "JAX_TRACEBACK_FILTERING=off" in note
    before = jax.config.jax_traceback_filtering
    jax.config.update("jax_traceback_filtering", "off")
    try:
        with pytest.raises(KeyError) as error:
            jk.grad(fails)(1.0)
    finally:
        jax.config.update("jax_traceback_filtering", before)
    assert any(file.startswith(INTERNAL) for file in frames(error.value.__traceback__))
    assert not hasattr(error.value, "__notes__")


def test_what_is_called_has_the_name_and_signature_of_the_function():
    for transform in (jk.grad, jk.value_and_grad, jk.jacfwd, jk.jacrev, jk.hessian):
        assert transform(total).__name__ == "total"
        assert transform(total).__wrapped__ is not None
    assert jk.jvp.__name__ == "jvp" and "primals" in jk.jvp.__doc__


# --- The same in other places ---------------------------------------------------------


class Callable:
    def __call__(self, x):
        return x


@pytest.mark.parametrize(
    "f", [partial(partial(jnp.sin)), jax.tree_util.Partial(jnp.sin), Callable(), len]
)
def test_a_function_without_a_name_has_that_which_jax_gives(f):
    for name in ("grad", "jacfwd", "hessian", "value_and_grad"):
        ours, theirs = (getattr(lib, name)(f).__name__ for lib in (jk, jax))
        assert ours == theirs


def test_missing_rule_names_the_primitive_and_the_users_line():
    unknown_p = Primitive("unknown")
    unknown_p.def_impl(lambda x: x)
    unknown_p.def_abstract_eval(lambda x: x)
    lowering = mlir.lower_fun(lambda x: x, multiple_results=False)
    mlir.register_lowering(unknown_p, lowering)

    def f(x):
        return unknown_p.bind(x)

    for call in (jk.grad(f), jax.jit(jk.grad(f)), jk.grad(jax.jit(f))):
        with pytest.raises(NotImplementedError) as error:
            call(2.0)
        line = f.__code__.co_firstlineno + 1
        assert "primitive 'unknown'" in str(error.value)
        assert f"test_messages.py:{line}" in str(error.value)


@pytest.mark.parametrize(
    "transform", [jk.grad, lambda f: lambda x: jk.jvp(f, (x,), (x,))]
)
def test_escaped_tracer(transform):
    escaped = []

    def f(x):
        escaped.append(x)
        return x * x

    transform(f)(3.0)
    with pytest.raises(jax.errors.UnexpectedTracerError):
        escaped[0] + 1.0


def test_reverse_mode_through_what_is_refused_in_forward_mode():
    @jax.custom_vjp
    def clipped(x):
        return x

    clipped.defvjp(lambda x: (x, None), lambda _, ct: (jnp.clip(ct, -1, 1),))
    assert jk.grad(lambda x: 5 * clipped(x))(2.0) == 1.0


def test_argnames_are_checked():
    for argnames, text in {("y", "y"): "twice", 3: "string", (): "string"}.items():
        with pytest.raises(TypeError, match=f"argnames.*{text}"):
            jk.grad(lambda x, y: x * y, argnames=argnames)(1.0, y=2.0)


def test_bad_input_changes_nothing():
    x = np.ones(3)
    with pytest.raises(ValueError, match=re.escape("float64[4]")):
        jk.jvp(square, (x,), (np.ones(4),))
    np.testing.assert_array_equal(x, np.ones(3))
    assert jk.grad(total)(x).tolist() == [2.0, 2.0, 2.0]
