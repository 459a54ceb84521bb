"""Experiments on what differentiation costs, with jaxkit and JAX side by side.

`python -m experiments --list` names them. An experiment is a package with
`FULL` and `QUICK` (its settings), `add_options(parser)`, and the two modules
`measure` (`points(settings)`, `measure(point, settings)`) and `report`
(`report(record, out)`). `bench` holds what they share.
"""
