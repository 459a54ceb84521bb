"""Hypothesis's strategies: what is drawn first is what a failure shrinks to."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import count

from hypothesis import strategies as st

from tests.generated import inference, structures
from tests.generated.inference import IllTyped
from tests.generated.operations import FAMILIES, Operation
from tests.generated.program import Body, Equation, Number, Program, Type, Var
from tests.generated.stacks import stacks
from tests.generated.values import arguments

GROUPS = {
    "f": ("f64", "f32", "f16", "bf16"),
    "n": ("f64", "f32", "f16", "bf16", "c128", "c64"),
    "c": ("c128", "c64"),
    "i": ("i64", "i32", "u8"),
    "b": ("b1",),
    "d": ("f64", "f32"),
    "z": ("f64", "f32", "c128", "c64"),
    "a": ("f64", "f32", "f16", "bf16", "c128", "c64", "i64", "i32", "u8", "b1"),
}
MARKS = {
    "": lambda t: True,
    "0": lambda t: t.shape == (),
    "+": lambda t: t.ndim > 0 and t.size > 0,
    "2": lambda t: t.shape == (3, 3),
}
SHAPES = {"": (3,), "0": (), "+": (3,), "2": (3, 3)}
FIT = Operation("structural", "fit({0}, DTYPE, SHAPE)", ("a",))
# How many equations a program has at most, those of its bodies included, and a body.
LONGEST, BODY = 40, 4
# Families are drawn alike but for these; the plainest comes first.
WEIGHTS = {
    "elementwise": 4,
    "structures": 4,
    "parallel": 6,
    "structural": 2,
    "reductions": 2,
}


@dataclass
class Drawing:
    """One program on its way: what is drawn, and where it stands.

    values: what may be read, outermost first
    axis, mesh, eager: whether there is an axis "i", whether its members are devices,
        and whether Python may branch on values
    """

    draw: object
    names: count = field(default_factory=count)
    values: tuple[Var, ...] = ()
    equations: list[Equation] = field(default_factory=list)
    depth: int = 0
    axis: bool = False
    mesh: bool = False
    eager: bool = False
    rare: bool = False
    reached: set[str] = field(default_factory=set)
    left: list[int] = field(default_factory=lambda: [LONGEST])

    def among(self, choices):
        return self.draw(st.sampled_from(list(choices)))

    def chance(self, one_in: int) -> bool:
        """Mostly false, which is what it shrinks to."""
        return self.draw(st.integers(0, one_in - 1)) == one_in - 1

    def var(self, t: Type) -> Var:
        return Var(f"v{next(self.names)}", t)

    def add(self, operation: Operation, operands, bodies=()) -> tuple[Var, ...]:
        """The equation, at the end; raises IllTyped."""
        eqn = Equation((), operation, tuple(operands), tuple(bodies))
        if operation.place == "eager":
            types, alone = [eqn.operands[0].type], True
        else:
            types, alone, reached = inference.outcome(eqn, self.axis)
            self.reached |= reached
        if not types:
            raise IllTyped("it returns nothing")
        outs = tuple(map(self.var, types))
        self.equations.append(replace(eqn, outs=outs, alone=alone))
        self.values += outs
        return outs

    # --------------------------------------------------------------------- operands

    def operand(self, kind: str, first: Var | None = None):
        """A value of this kind, made of another one if there is none."""
        if kind == ".":
            return self.like(first.type)
        if kind == "~":
            if self.chance(3):
                return Number(self.among(["2.0", "0.5", "3", "-1"]))
            return self.fitting(
                lambda t: (
                    t.dtype == first.type.dtype and t.shape in ((), first.type.shape)
                ),
                first.type,
            )
        letter, mark = kind[0], kind[1:]
        group = GROUPS[letter]

        def fits(t):
            return t.dtype in group and MARKS[mark](t)

        return self.fitting(fits, Type(group[0], SHAPES[mark]))

    def like(self, t: Type):
        same = lambda u: (u.dtype, u.shape) == (t.dtype, t.shape)  # noqa: E731
        return self.fitting(same, t)

    def fitting(self, fits, otherwise: Type) -> Var:
        """A value whose type fits, newer ones twice as often."""
        found = [v for v in self.values if fits(v.type)]
        if not found or (self.chance(10) and self.values):
            return self.cast(self.among(self.values), otherwise)
        recent = found[-4:]
        return self.among(recent if self.draw(st.booleans()) else found)

    def cast(self, x: Var, t: Type) -> Var:
        text = FIT.text.replace("DTYPE", t.dtype).replace("SHAPE", str(t.shape))
        return self.add(replace(FIT, text=text), (x,))[0]

    # -------------------------------------------------------------------- equations

    def equation(self) -> None:
        """Another equation, and those that make its operands; none if it is refused."""
        before = self.values, list(self.equations)
        try:
            family = self.among(self.families())
            if family == "structures":
                return self.among(structures.ALL)(self)
            operation = self.among(self.operations(family))
            operands: list = []
            for kind in operation.kinds:
                operands.append(self.operand(kind, operands[0] if operands else None))
            self.add(operation, operands)
        except IllTyped:
            self.values, self.equations = before[0], before[1]

    def families(self) -> list[str]:
        names = []
        for name in ["elementwise", "structures", *FAMILIES]:
            wanted = self.depth < 3 if name == "structures" else self.operations(name)
            if wanted and name not in names:
                names += [name] * WEIGHTS.get(name, 1)
        return names

    def operations(self, family: str) -> list[Operation]:
        """Those of a family that there is a place for."""
        there = {"": True, "axis": self.axis, "eager": self.eager, "rare": self.rare}
        return [x for x in FAMILIES[family] if there[x.place]]

    def body(self, params, closed=False, axis=False, mesh=False, like=None) -> Body:
        """A function of parameters of these types.

        closed: it reads nothing else. like: the types that it returns.
        """
        inner = Drawing(self.draw, self.names, depth=self.depth + 1)
        name = f"body{next(self.names)}"
        of_params = tuple(inner.var(replace(t)) for t in params)
        inner.values = of_params if closed else self.values + of_params
        inner.axis, inner.rare = self.axis or axis, self.rare
        inner.mesh = self.mesh or mesh
        inner.reached, inner.left = self.reached, self.left
        if not inner.values:
            raise IllTyped("nothing to begin with")
        inner.fill(BODY)
        if like is None:
            outputs = inner.ends(3)
        else:
            outputs = tuple(inner.like(t) for t in like)
            outputs = tuple(
                inner.cast(x, t) if x.type != t else x
                for x, t in zip(outputs, like, strict=True)
            )
        return Body(name, of_params, tuple(inner.equations), outputs)

    def fill(self, most: int) -> None:
        while len(self.equations) < most and self.left[0] > 0:
            if not self.draw(st.integers(0, 8 if self.depth else 30)):
                break  # the simplest choice
            self.left[0] -= 1
            self.equation()

    def ends(self, most: int) -> tuple:
        """What is returned: values that nothing reads, and any others."""
        read = {x for eqn in self.equations for x in eqn.reads()}
        made = [x for eqn in self.equations for x in eqn.outs]
        unread = [x for x in made if x not in read] or list(self.values)
        ends = unread[-most:]
        if self.chance(4):
            ends.append(self.among(self.values))
        if self.chance(8):
            ends.append(Number(self.among(["1.5", "2", "True"])))
        return tuple(ends)


@st.composite
def programs(draw) -> Program:
    """A program under a stack of transforms."""
    stack = draw(stacks())
    state = Drawing(draw)
    state.rare = state.chance(8)
    # What is called is compiled, structure by structure: few, and small.
    traced = not state.chance(25)
    state.eager = not traced and all(level.eager for level in stack)
    state.left = [state.among([2, 4, 4, 6, 6, 12, 12, LONGEST]) if traced else 5]
    params, args, unpack, values = draw(arguments(state.names))
    state.values = values
    state.fill(LONGEST)
    if not state.equations:
        state.add(FAMILIES["elementwise"][0], (state.operand("f"),))
    result = results(draw, state.ends(6))
    equations, reached = tuple(state.equations), frozenset(state.reached)
    return Program(params, args, unpack, equations, result, stack, traced, reached)


def results(draw, ends) -> str:
    """What a program returns, as text: one value, a tuple, or a tree."""
    texts = [str(x) for x in ends]
    form = draw(st.sampled_from(["tuple", "one", "tree"]))
    if form == "one" and len(texts) == 1:
        return texts[0]
    if form == "tree":
        rest = "".join(f"{x}, " for x in texts[1:]).rstrip()
        return f"{{'a': {texts[0]}, 'b': [({rest}), None]}}"
    return "".join(f"{x}, " for x in texts).rstrip()
