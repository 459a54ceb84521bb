"""All that is checked: functions of all families of rules, and the real programs."""

from functools import partial

from experiments.programs import programs
from experiments.validate import of_control, of_rules
from experiments.validate.functions import FUNCTIONS, Function, find

__all__ = ["FUNCTIONS", "Function", "find", "of_control", "of_rules"]

for _name, _program in programs().items():
    FUNCTIONS[_name] = Function(
        "programs",
        partial(lambda f, args: f(*args), _program.f),
        _program.args,
        partial(lambda f, args: f(*args), _program.scalar),
        traceable=_program.traceable,
        condition=_program.condition,
    )
