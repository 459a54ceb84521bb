"""Symbolic differentiation: a function as a graph, and its derivative as another.

    Const, Var                                     leaves
    Add, Sub, Mul, Div, Power                      operations on two expressions
    Neg, Sin, Cos, Exp, Log                        operations on one

An expression can be evaluated, printed and differentiated; the derivative is again an
expression.  It comes out raw, zeros and ones included, and `prune` makes it smaller, by
rules that stand in a table and can be added to.

A derivative uses parts of its function many times: as a tree it grows quickly
(expression swell), while as a graph, in which equal parts are one node, it doesn't.
`size` counts the nodes of the tree, `nodes` lists those of the graph, and `share` makes
equal parts one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jaxkit.drawing import Arrow, Box, Graph
from jaxkit.study.operations import OPERATIONS, Overloaded


class Expr(Overloaded):
    """Base of expressions.  `operands` are expressions; numbers become `Const`."""

    operation: str  # its name in `OPERATIONS`
    # `derivative(var, *derivatives)`, given those of the operands.
    derivative: Callable[..., Expr]

    def __init__(self, *operands):
        self.operands = tuple(map(expression, operands))

    @classmethod
    def apply(cls, name, *operands):
        if name not in CLASSES:
            raise TypeError(
                f"no expression for '{name}'; there are {', '.join(CLASSES)}"
            )
        return CLASSES[name](*operands)

    def evaluate(self) -> Any:
        """The value, at the values that the variables have now."""
        values: dict[Expr, Any] = {}
        for node in nodes(self):
            values[node] = node.value_from(*[values[x] for x in node.operands])
        return values[self]

    def value_from(self, *values) -> Any:
        """The value, given those of the operands."""
        return OPERATIONS[self.operation].value(*values)

    def gradient(self, var: Var) -> Expr:
        """The derivative with respect to a variable, as it comes out: not pruned."""
        made: dict[Expr, Expr] = {}
        for node in nodes(self):
            made[node] = node.derivative(var, *[made[x] for x in node.operands])
        return made[self]

    def prune(self) -> Expr:
        """An equal expression without what `RULES` can do away with."""
        made: dict[Expr, Expr] = {}
        for node in nodes(self):
            made[node] = simplified(node.like(*[made[x] for x in node.operands]))
        return made[self]

    def like(self, *operands: Expr) -> Expr:
        """The same operation on other operands."""
        return type(self)(*operands) if operands != self.operands else self

    def __repr__(self):
        return str(self)

    def _compare(self, other=None):
        raise TypeError(
            f"the expression {self} has no truth value: a graph holds one branch, so "
            "decide before you build it, or use dual numbers or a tape"
        )

    __bool__ = __lt__ = __le__ = __gt__ = __ge__ = _compare


class Const(Expr):
    """A number."""

    def __init__(self, value: Any):
        super().__init__()
        self.value = value

    def value_from(self, *values):
        return self.value

    def derivative(self, var):
        return Const(0)

    def __str__(self):
        return str(self.value)


class Var(Expr):
    """A variable, with the value that it has now."""

    def __init__(self, name: str, value: Any = 0):
        super().__init__()
        self.name, self.value = name, value

    def value_from(self, *values):
        return self.value

    def derivative(self, var):
        return Const(1) if self is var else Const(0)

    def __str__(self):
        return self.name


class Add(Expr):
    operation = "add"

    def derivative(self, var, da, db):
        return Add(da, db)

    def __str__(self):
        a, b = self.operands
        return f"{a} + {b}"


class Sub(Expr):
    operation = "subtract"

    def derivative(self, var, da, db):
        return Sub(da, db)

    def __str__(self):
        a, b = self.operands
        return f"{a} - ({b})"


class Mul(Expr):
    operation = "multiply"

    def derivative(self, var, da, db):
        a, b = self.operands
        return Add(Mul(a, db), Mul(da, b))

    def __str__(self):
        a, b = self.operands
        return f"({a}) * ({b})"


class Div(Expr):
    operation = "divide"

    def derivative(self, var, da, db):
        a, b = self.operands
        return Div(Sub(Mul(da, b), Mul(a, db)), Mul(b, b))

    def __str__(self):
        a, b = self.operands
        return f"({a}) / ({b})"


class Power(Expr):
    operation = "power"

    def derivative(self, var, da, db):
        a, b = self.operands
        if isinstance(b, Const):
            return Mul(Mul(b, Power(a, b.value - 1)), da) if b.value else Const(0)
        by_base = Mul(Mul(b, Power(a, Sub(b, 1))), da)
        return Add(by_base, Mul(Mul(self, Log(a)), db))

    def __str__(self):
        a, b = self.operands
        return f"({a}) ** ({b})"


class Neg(Expr):
    operation = "negative"

    def derivative(self, var, da):
        return Neg(da)

    def __str__(self):
        return f"-({self.operands[0]})"


class Function(Expr):
    """Base of functions of one expression."""

    def __str__(self):
        return f"{self.operation}({self.operands[0]})"


class Sin(Function):
    operation = "sin"

    def derivative(self, var, da):
        return Mul(Cos(*self.operands), da)


class Cos(Function):
    operation = "cos"

    def derivative(self, var, da):
        return Mul(Neg(Sin(*self.operands)), da)


class Exp(Function):
    operation = "exp"

    def derivative(self, var, da):
        return Mul(self, da)


class Log(Function):
    operation = "log"

    def derivative(self, var, da):
        return Div(da, *self.operands)


CLASSES = {x.operation: x for x in (Add, Sub, Mul, Div, Power, Neg, Sin, Cos, Exp, Log)}


def expression(x: Any) -> Expr:
    return x if isinstance(x, Expr) else Const(x)


def build(f: Callable, **values) -> tuple[Expr, dict[str, Var]]:
    """The graph of a Python function, by running it on variables.

    Example:

        >>> graph, v = build(lambda x, y: x * x * y + (y + 2), x=3, y=4)
        >>> print(graph, "=", graph.evaluate())
        ((x) * (x)) * (y) + y + 2 = 42
    """
    variables = {name: Var(name, value) for name, value in values.items()}
    return expression(f(**variables)), variables


# --- Pruning --------------------------------------------------------------------------

# A rule takes an expression of its class and returns one that is equal and smaller, or
# None.  They hold for numbers; 0 * x is 0 for them although x may come out infinite.
RULES: dict[type[Expr], list[Callable[..., Expr | None]]] = {}


def rule(*classes: type[Expr]) -> Callable:
    """Add a pruning rule, a function of the operands, for some classes.

    Example:

        >>> @rule(Mul)
        ... def _(a, b):
        ...     return Power(a, 2) if a is b else None
    """

    def add(function):
        for cls in classes:
            RULES.setdefault(cls, []).append(function)
        return function

    return add


def simplified(node: Expr) -> Expr:
    """A node whose operands are pruned, after all rules that apply to it."""
    if node.operands and all(isinstance(x, Const) for x in node.operands):
        return Const(node.evaluate())
    for function in RULES.get(type(node), ()):
        smaller = function(*node.operands)
        if isinstance(smaller, Expr):
            return smaller
        if smaller is not None:
            raise TypeError(
                f"the pruning rule '{function.__name__}' returned {smaller!r} for "
                f"{node}; return an expression, such as Const(0), or None"
            )
    return node


def is_number(x: Expr, number) -> bool:
    return isinstance(x, Const) and x.value == number


@rule(Add)
def _zero_plus(a, b):
    return b if is_number(a, 0) else a if is_number(b, 0) else None


@rule(Sub)
def _minus_zero(a, b):
    return a if is_number(b, 0) else Neg(b) if is_number(a, 0) else None


@rule(Mul)
def _times_zero(a, b):
    return Const(0) if is_number(a, 0) or is_number(b, 0) else None


@rule(Mul)
def _times_one(a, b):
    return b if is_number(a, 1) else a if is_number(b, 1) else None


@rule(Div)
def _zero_over(a, b):
    return Const(0) if is_number(a, 0) else None


@rule(Div, Power)
def _by_one(a, b):
    return a if is_number(b, 1) else None


@rule(Power)
def _to_the_zero(a, b):
    return Const(1) if is_number(b, 0) else None


@rule(Neg)
def _twice_negative(a):
    return a.operands[0] if isinstance(a, Neg) else None


# --- The graph as a whole -------------------------------------------------------------


def nodes(expr: Expr) -> list[Expr]:
    """Each node of the graph once, operands before what uses them."""
    found: dict[Expr, None] = {}
    stack = [(expr, False)]
    while stack:  # no recursion: a graph may be deeper than Python's stack
        node, ready = stack.pop()
        if ready:
            found[node] = None
        elif node not in found:
            stack.append((node, True))
            stack.extend((x, False) for x in reversed(node.operands))
    return list(found)


def graph(expr: Expr) -> Graph:
    """The expression as a graph to draw: its nodes, and arrows from operands."""
    names = {node: f"n{i}" for i, node in enumerate(nodes(expr), 1)}
    boxes, arrows = [], []
    for node, name in names.items():
        what = str(node) if not node.operands else type(node).__name__
        kind = {Var: "input", Const: "const"}.get(type(node), "operation")
        boxes.append(Box(name, what, kind="output" if node is expr else kind))
        arrows += [Arrow(names[x], name) for x in node.operands]
    return Graph(boxes, arrows)


def size(expr: Expr) -> int:
    """How many nodes the expression has as a tree, as it is printed."""
    sizes: dict[Expr, int] = {}
    for node in nodes(expr):
        sizes[node] = 1 + sum(sizes[x] for x in node.operands)
    return sizes[expr]


def share(expr: Expr) -> Expr:
    """The same expression with equal parts made one node."""
    known: dict[Any, Expr] = {}
    made: dict[Expr, Expr] = {}
    for node in nodes(expr):
        new = node.like(*[made[x] for x in node.operands])
        same = type(new), *map(id, new.operands)
        if isinstance(new, Const):
            same = type(new), type(new.value), repr(new.value)
        made[node] = known.setdefault(same if not isinstance(new, Var) else new, new)
    return made[expr]
