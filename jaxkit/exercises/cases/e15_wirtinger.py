from jaxkit.exercises.cases import call, formula

HINTS = (
    "Which two tangents does a complex number have, so that all others are made of them?",
    "The tangents have the type of z: for a Python number z, take z = jnp.asarray(z, "
    "complex), and jnp.ones_like(z) and 1j * jnp.ones_like(z).",
    "For `moved`: f moves by df/dz times dz, and by df/dz* times the conjugate of dz; "
    "add the two.",
)


def cases():
    functions = [
        formula("z: z * jnp.conj(z)"),
        formula("z: z**2"),
        formula("z: jnp.exp(1j * z)"),
        formula("z: jnp.conj(z)"),
        formula("z: jnp.abs(z) + 0j"),
        formula("z: z.real**2 + 1j * z.imag"),
    ]
    z, dz = 3 + 4j, 0.5 - 2j
    return [
        *[call("wirtinger", f, z) for f in functions],
        *[call("moved", f, z, dz) for f in functions],
    ]
