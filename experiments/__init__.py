"""Experiments on what differentiation costs, side by side with JAX and its peers.

`python -m experiments --list` names them. Each is a module that has

    its docstring              a headline, then the question, and what theory says
    Settings                   a dataclass of its settings, see `bench.settings`
    points(settings)           what is to be measured, as dictionaries of plain values
    measure(point, settings)   what was found there: rows, as dictionaries, each of one
                               program (those of `bench.measure.run`), error or count
    tables(table)              by title, tables of text, to print and to report
    figures(table)             pairs of a name and a figure
    failures(table)            optional: how many results are wrong (exit code 1)

The table is a pandas.DataFrame of all rows, with the points' entries (`bench.tidy`), or
of a part of a run. `python -m experiments mymodule` runs any with these, as ours.
"""

import os

# Threads of other libraries that have nothing to do must sleep, not spin: what is
# measured after them would run beside them. They read this when they are loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")
