"""The border: what users pass is selected, flattened and checked, with exact messages.

arguments.py   which arguments are differentiated: argnums, argnames
flat.py        a user's function between pytrees as one between lists of leaves
space.py       the tangent space of a pytree, and its elements
checks.py      what may be differentiated
messages.py    how leaves and values are named in messages
"""
