"""Models train with jaxkit as with JAX, and need no more memory for it."""

import jax
import numpy as np
import pytest

import jaxkit as jk
from zoo.models import MODELS

STEPS, RATE = 20, 0.1


def training(library, name):
    """(compiled step of gradient descent, the first parameters, batch)"""
    with jax.enable_x64(False):
        loss, parameters, batch = MODELS[name]()

        def step(parameters, batch):
            value, gradient = library.value_and_grad(loss)(parameters, batch)
            moved = jax.tree.map(lambda w, g: w - RATE * g, parameters, gradient)
            return value, moved

        return jax.jit(step).lower(parameters, batch).compile(), parameters, batch


@pytest.mark.parametrize("name", MODELS)
def test_trains_to_the_same_losses_in_the_same_memory(name):
    losses, temporaries = [], []
    for library in jk, jax:
        step, parameters, batch = training(library, name)
        temporaries.append(step.memory_analysis().temp_size_in_bytes)
        values = []
        for _ in range(STEPS):
            value, parameters = step(parameters, batch)
            values.append(float(value))
        losses.append(values)
    np.testing.assert_allclose(*losses, rtol=1e-4)
    assert losses[0][-1] < losses[0][0]  # it learns
    assert temporaries[0] <= 1.05 * temporaries[1], temporaries
