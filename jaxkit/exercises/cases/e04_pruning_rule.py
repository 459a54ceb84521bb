import numpy as np

from jaxkit.exercises.cases import Case
from jaxkit.study import symbolic

HINTS = (
    "When are two operands the same expression? That they print alike isn't enough.",
    "Return None where the rule doesn't apply. Compare with `a is b`: two variables may "
    "have one name. Write 2 * a, the 2 first.",
    "One line does it: `return ... if ... else None`.",
)


def cases():
    def case(text, build):
        def run(module):
            symbolic.rule(symbolic.Add)(module.twice)
            try:
                x, y = symbolic.Var("x", 2.0), symbolic.Var("y", 3.0)
                return str(build(x, y).prune())
            finally:
                symbolic.RULES[symbolic.Add].remove(module.twice)

        return Case(f"{text}, pruned", run)

    def doubled(a):
        return a + a

    return [
        case("x + x", lambda x, y: x + x),
        case("x + y", lambda x, y: x + y),
        case("the derivative of x * x", lambda x, y: (x * x).gradient(x)),
        case("x * (y + y)", lambda x, y: x * (y + y)),
        case("s + s with s = sin(x)", lambda x, y: doubled(np.sin(x))),
        case("s + s with s = x + x", lambda x, y: doubled(x + x)),
        case(
            "x + x, where the second is another variable named x",
            lambda x, y: x + symbolic.Var("x", 5.0),
        ),
    ]
