"""All tests run in double precision, so that derivatives are compared to 1e-10."""

import jax

jax.config.update("jax_enable_x64", True)
