"""What is differentiated by the tests and by the experiments alike.

cases        functions that reach each primitive with a rule, a file for each family
case         what a case is; its arguments are drawn by `samplers`
nestings     the derivatives of a case: jvp and vjp, nested
programs     small real programs from science, engineering and learning
models       models to train
"""
