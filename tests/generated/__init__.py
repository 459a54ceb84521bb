"""Random programs, and random transforms of them, by jaxkit and by JAX.

A program is data: equations over typed values, with programs inside for structures. It
has one reading, its source (`program.py`), which is what runs and what is printed, so
that what is shown of a failure is what failed. Hypothesis draws programs, and makes
those that fail small. `python -m tests.generated` runs many; the tests run a few.

prelude      what the code of a program may name: helpers, and transforms by any library
operations   the equations there are, by family, as text
program      types, values, equations, programs, and their source
inference    the types of what an equation returns, and the primitives that it reaches
uniform      where Hypothesis takes its choices from
values       arguments
drawing      Hypothesis's strategies: values, equations, bodies, programs
structures   the equations with programs inside
stacks       one to four transforms over a program
evaluate     a traced program, run one primitive after the other: nothing is compiled
plain        the commonest primitives in NumPy, for that
judge        whether two results are equal, and what kind of a difference it is
properties   what must hold of a program and a stack
hunt         many programs: differences by kind, made small, and counts
"""
