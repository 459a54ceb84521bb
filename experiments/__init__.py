"""Experiments on what differentiation costs, side by side with JAX and its peers.

`python -m experiments --list` names them. Each is a module that has

    its docstring       a headline, then what is measured and why
    FULL, QUICK         its settings, as dictionaries: a whole run, and a short one
    points(settings)    the keys of what is to be measured, as dictionaries
    measure(key, settings)
                        the result for one of them, as a dictionary; what
                        `bench.measure.run` gave stands in it under "programs" (it
                        reads the settings samples, min_time and memory_limit)
    tables(record)      what the terminal shows, as texts
    draw(record)        pairs of a name and a figure
    captions(record)    by the figures' names, what they show, with its numbers
    summary(record)     rows of the report's table, label and text, to compare devices
    failures(record)    optional: how many results are wrong; then the exit code is 1
    add_options(parser) optional: options that set settings, in place of the usual ones,
                        which are one for each setting that is a list of words or
                        of numbers

All these dictionaries go into JSON, and hold what that can hold; NumPy's numbers and
arrays in results become Python's.
`python -m experiments mymodule` runs any module that has these, with the same
options, progress, resuming and report as ours. `bench` holds what they share.
"""

import os

# Threads of other libraries that have nothing to do must sleep, not spin: what is
# measured after them would run beside them. They read this when they are loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")
