"""`explain` and `stages`: every number against JAX, every format parsed."""

from __future__ import annotations

import gc
import html
import inspect
import json
import re
import weakref
import xml.etree.ElementTree as ET

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import jaxkit as jk
from jaxkit import tracing
from jaxkit.drawing import Arrow, Box, Graph, mermaid, svg
from jaxkit.explaining.nodes import Node
from jaxkit.explaining.running import ExplainTrace, Value


def f(x, y):
    return x * x * y + (y + 2)


TABLE = """\
node  op       value  dx=1  dy=1  df/dn  adjoint arrives from
n1    x          3.0   1.0   0.0   24.0  n4: 4*3 + 4*3
n2    y          4.0   0.0   1.0   10.0  n5: 1*9,  n6: 1
n3    const      2.0   0.0   0.0    1.0  n6
n4    n1 * n1    9.0   6.0   0.0    4.0  n5: 1*4
n5    n4 * n2   36.0  24.0   9.0    1.0  n7
n6    n2 + n3    6.0   0.0   1.0    1.0  n7
n7    n5 + n6   42.0  24.0  10.0    1.0  seed
"""


def test_the_notebooks_function():
    text = str(jk.explain(f)(3.0, 4.0))
    assert text.startswith(TABLE)
    assert re.search(r"test_explain.py:\d+ +n4..n7  return x \* x \* y", text)
    assert re.search(r"x +df/dn +24.0 +24.0 +0 +24.0 +[\d.]+e-\d\d\n", text)
    assert re.search(r"y +df/dn +10.0 +10.0 +0 +10.0 +[\d.]+e-\d\d\n", text)
    assert "forward mode 2 (one for each number in), reverse" in text
    assert "saved for reverse mode: n1..n2, n4 (" in text


# ---------------------------------------------------------------------------- programs

X = jnp.array([0.7, -0.3, 1.2])


@jax.custom_jvp
def softplus(x):
    return jnp.log1p(jnp.exp(x))


softplus.defjvp(lambda x, dx: (softplus(*x), jax.nn.sigmoid(*x) * dx[0]))


@jax.custom_vjp
def doubled_backwards(x):
    return jnp.sin(x)


doubled_backwards.defvjp(
    lambda x: (jnp.sin(x), jnp.cos(x)), lambda c, ct: (2 * c * ct,)
)


def mlp(params, x):
    for w, b in params:
        x = jnp.tanh(x @ w + b)
    return jnp.mean(x**2)


def branch(x):
    if x > 1:
        return x**2
    return jnp.sin(x) * 3.0


def loop(x):
    for i in range(3):
        x = jnp.sin(x) if i % 2 == 0 else x * x
    return x


WEIGHTS = [
    (jnp.linspace(-1, 1, 12).reshape(3, 4), jnp.linspace(0, 1, 4)),
    (jnp.linspace(1, -1, 8).reshape(4, 2), jnp.zeros(2)),
]

PROGRAMS = {
    "scalars": (f, (3.0, 4.0)),
    "vector": (lambda x: jnp.sum(jnp.exp(x) * x[0]), (X,)),
    "vector to vector": (lambda x: {"a": x * x, "b": jnp.cumsum(x)}, (X,)),
    "mlp": (mlp, (WEIGHTS, jnp.ones((2, 3)))),
    "loop": (loop, (1.0,)),
    "branch on a value": (branch, (0.5,)),
    "scan": (
        lambda x: lax.scan(lambda c, y: (jnp.sin(c) * y, c), x[0], x)[0],
        (X,),
    ),
    "cond": (lambda x: lax.cond(x[0] > 0, jnp.sin, jnp.cos, x) @ x, (X,)),
    "while": (
        lambda x: lax.while_loop(lambda c: c[0] < 9, lambda c: c * c[1], x),
        (jnp.array([1.1, 1.5]),),
    ),
    "jit": (lambda x: jax.jit(lambda y: jnp.tanh(y) * y)(x) + x, (0.4,)),
    "checkpoint": (lambda x: jax.checkpoint(lambda y: jnp.sin(jnp.sin(y)))(x), (0.4,)),
    "custom_jvp": (lambda x: softplus(x) * x, (0.4,)),
    "custom_vjp": (lambda x: doubled_backwards(x) ** 2, (0.4,)),
    "complex": (lambda z: jnp.abs(jnp.exp(1j * z) * z) ** 2, (0.3 + 0.8j,)),
    "integers": (lambda x, i: x[i] * x.at[i].set(2.0).sum(), (X, 1)),
    "sort": (lambda x: jnp.sort(x) @ jnp.arange(3.0), (X,)),
    "linear algebra": (
        lambda x: jnp.linalg.slogdet(jnp.outer(x, x) + jnp.eye(3))[1],
        (X,),
    ),
    "no derivative": (lambda x: jnp.floor(x) + jnp.round(x) * x, (1.3,)),
}


class Perturbed(ExplainTrace):
    """Runs a function with something added to one of its nodes."""

    def __init__(self, parent, explanation, number, delta):
        super().__init__(parent)
        self.at, self.delta = number, delta
        self.counts = {kind: 0 for kind in ("const", "operation")}
        numbers = {"const": [], "operation": []}
        for node in explanation.nodes:
            if node.kind != "input":
                numbers[node.kind].append(node.number)
        self.numbers = numbers

    def moved(self, kind, value):
        number = self.numbers[kind][self.counts[kind]]
        self.counts[kind] += 1
        return value + self.delta if number == self.at else value

    def node(self, x):
        if not self.owns(x) and id(x) not in self.constants:
            super().node(x).value = self.moved("const", x)
        return super().node(x)

    def results(self, outs):
        return [
            Value(self, Node("operation", self.moved("operation", y))) for y in outs
        ]

    def interpret(self, primitive, operands, params):
        if (
            primitive.name == "convert_element_type"
            and operands[0].aval.dtype == params["new_dtype"]
        ):
            return operands[0]
        out = primitive.bind(*[self.node(x).value for x in operands], **params)
        several = primitive.multiple_results
        return self.results(out) if several else self.results([out])[0]

    def _with_rule(self, primitive, *functions, operands, **params):
        with tracing.set_current_trace(self.parent):
            values = [self.node(x).value for x in operands]
            avals = [tracing.typeof(x) for x in values]
            params["subfuns"] = functions
            return self.results(
                primitive.bind_with_trace(self.parent, values, avals, params)
            )

    def process_custom_jvp_call(self, primitive, fun, jvp, operands, /, **params):
        return self._with_rule(primitive, fun, jvp, operands=operands, **params)

    def process_custom_vjp_call(self, primitive, fun, fwd, bwd, operands, /, **params):
        return self._with_rule(primitive, fun, fwd, bwd, operands=operands, **params)


def perturbed(explanation, number):
    """The outputs as a function of what is added to a node."""

    def outputs(delta):
        with tracing.running(Perturbed, explanation, number, delta) as trace:
            inputs = [
                Value(
                    trace,
                    Node("input", x.value + delta if x.number == number else x.value),
                )
                for x in explanation.inputs
            ]
            return [trace.node(y).value for y in explanation.fun(*inputs)]

    return outputs


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_adjoint_is_the_effect_of_its_node(name):
    """<adjoint, v> is how fast the output moves with the node along v, by JAX."""
    function, args = PROGRAMS[name]
    explanation = jk.explain(function)(*args)
    assert explanation.steps
    rng = np.random.default_rng(0)
    checked = 0
    for node in explanation.nodes:
        if not node.moves or node.adjoints is None:
            continue  # of a constant that a user's rule takes, no adjoint is known
        if name == "custom_vjp" and node.kind != "operation":
            continue  # JAX has no forward mode there
        v = rng.uniform(-1, 1, node.aval.shape)
        if node.aval.dtype.kind == "c":
            v = v + 1j * rng.uniform(-1, 1, node.aval.shape)
        v = jnp.asarray(v, node.aval.dtype)
        outputs = perturbed(explanation, node.number)
        try:
            ys, dys = jax.jvp(outputs, (jnp.zeros_like(v),), (v,))
        except TypeError:
            assert name == "custom_vjp"
            continue
        for y, expected in zip(explanation.outputs, ys, strict=True):
            np.testing.assert_array_equal(y.value, expected)
        for k, seeds in enumerate(explanation.cotangents.values()):
            effect = sum(
                np.sum(np.real(dy))
                for dy, ct in zip(dys, seeds, strict=True)
                if ct is not None
            )
            found = np.sum(np.real(node.adjoints[k] * v))
            np.testing.assert_allclose(found, effect, rtol=1e-9, atol=1e-12)
            checked += 1
    assert checked


@pytest.mark.parametrize("name", [x for x in PROGRAMS if x != "custom_vjp"])
def test_tangents_are_jaxs(name):
    function, args = PROGRAMS[name]
    explanation = jk.explain(function, mode="forward")(*args)
    values = [x.value for x in explanation.inputs]
    for k, vs in enumerate(explanation.tangents.values()):
        directions = [
            np.zeros(x.aval.shape, x.aval.dtype if x.moves else jax.dtypes.float0)
            if v is None
            else v
            for x, v in zip(explanation.inputs, vs, strict=True)
        ]
        _, moved = jax.jvp(lambda *xs: list(explanation.fun(*xs)), values, directions)
        for y, expected in zip(explanation.outputs, moved, strict=True):
            if y.moves:
                np.testing.assert_allclose(y.tangents[k], expected, rtol=1e-9)


@pytest.mark.parametrize("name", [x for x in PROGRAMS if x != "while"])
def test_the_gradient_beside_jaxs(name, monkeypatch):
    """What is printed as JAX's gradient is JAX's, and equal to the kit's."""
    monkeypatch.setenv("COLUMNS", "300")
    function, args = PROGRAMS[name]
    explanation = jk.explain(function, mode="reverse")(*args)
    assert all(node.tangents is None for node in explanation.nodes)
    text = str(explanation)
    lines = text.split("gradient ")[1].split("\n\n")[0].splitlines()[1:]
    rows = [line for line in lines if line.split()[0] in explanation.names]
    moving = [x for x in explanation.inputs if x.moves]
    assert len(rows) == len(explanation.seeds) * len(moving)
    for line in rows:
        cells = re.split(r"  +", line.strip())
        theirs, differences = cells[-3::2] if " off by" in text else cells[-2:]
        assert float(theirs) < 1e-12
        if name == "complex":
            assert differences == "·"
        elif name != "custom_vjp":  # a wrong rule
            assert float(differences) < 1e-6


# ----------------------------------------------------------------------- ways to look


def test_forward_and_reverse_alone():
    forward = str(jk.explain(f, mode="forward")(3.0, 4.0)).splitlines()
    assert forward[0].split() == ["node", "op", "value", "dx=1", "dy=1"]
    assert "24.0" in forward[5] and "·" not in "".join(forward)
    assert "gradient" not in "".join(forward)
    reverse = str(jk.explain(f, mode="reverse")(3.0, 4.0)).splitlines()
    assert reverse[1].split() == [
        "n1",
        "x",
        "3.0",
        "24.0",
        *"n4: 4*3 + 4*3".split(),
    ]


def test_step_by_step():
    texts = [str(state) for state in jk.explain(f, step=True)(3.0, 4.0)]
    assert len(texts) == 14  # each of seven nodes forward, and backward
    first = texts[0].splitlines()
    assert first[1].split() == ["n1", "x", "3.0", "1.0", "0.0", "·"]
    assert first[5].split()[-4:] == ["·"] * 4  # not computed, and not zero
    forward = texts[6].splitlines()
    assert forward[7].split()[-4:] == ["42.0", "24.0", "10.0", "·"]
    assert texts[7].splitlines()[7].split()[-2:] == ["1.0", "seed"]
    assert texts[-1].startswith(TABLE)
    walk = jk.explain(f, step=True)(3.0, 4.0)
    assert [state.current.number for state in walk] == [
        *range(1, 8),
        *range(7, 3, -1),
        3,
        2,
        1,
    ]


def test_order_two_explains_the_gradient():
    explanation = jk.explain(f, order=2)(3.0, 4.0)
    assert [y.value for y in explanation.outputs] == [24.0, 10.0]
    assert explanation.seeds == ["d(df/dx)/dn", "d(df/dy)/dn"]
    hessian = [explanation.gradient(k) for k in range(2)]
    assert hessian == [[8.0, 6.0], [6.0, 0.0]]
    with pytest.raises(TypeError, match=r"scalar output; the output has shape \(3,\)"):
        jk.explain(jnp.sin, order=2)(X)


def test_a_chosen_direction_and_cotangent():
    explanation = jk.explain(
        lambda x: jnp.sin(x) * x[0], tangents=(X,), cotangent=jnp.array([1.0, 0.0, 2.0])
    )(X)
    assert explanation.directions == ["tangent"] and explanation.seeds == ["adjoint"]
    g = lambda x: jnp.sin(x) * x[0]  # noqa: E731
    np.testing.assert_allclose(
        explanation.outputs[0].tangents[0], jax.jvp(g, (X,), (X,))[1], rtol=1e-12
    )
    ct = jax.vjp(g, X)[1](jnp.array([1.0, 0.0, 2.0]))[0]
    np.testing.assert_allclose(explanation.gradient()[0], ct, rtol=1e-12)


def test_constants_have_adjoints_or_none_at_all():
    w = jnp.array([1.0, 2.0, 4.0])
    explanation = jk.explain(lambda x: jnp.sum(jnp.tanh(x * w)))(X)
    (node,) = [x for x in explanation.nodes if x.kind == "const"]
    expected = jax.grad(lambda w: jnp.sum(jnp.tanh(X * w)))(w)
    np.testing.assert_allclose(node.adjoints[0], expected, rtol=1e-12)

    @jax.custom_jvp
    def product(x, y):
        return x * y

    product.defjvp(lambda p, t: (p[0] * p[1], t[0] * p[1] + p[0] * t[1]))
    lines = str(jk.explain(lambda x: product(x, 3.0))(2.0)).splitlines()
    assert lines[2].split() == ["n2", "const", "3.0", "0.0", "·"]


@pytest.mark.parametrize(
    ("f", "args", "expected"),
    [
        (lambda k, x: jax.random.normal(k, (3,)) * x, (jax.random.key(0), X), "key<"),
        (lambda x: (x * x, 3, None), (2.0,), "4.0"),
        (lambda x: jnp.sum(jnp.abs(jnp.fft.fft(x))), (X,), "[1.6+0j, "),
        (lambda x: x * x, (jnp.bfloat16(3),), "9.0"),
        (lambda x: x * 2.0, (jnp.array([], jnp.float32),), "f32[0]"),
    ],
)
def test_all_kinds_of_values_print(f, args, expected):
    explanation = jk.explain(f)(*args)
    assert expected in str(explanation)
    for box in explanation.boxes:
        assert str(explanation.open(box.number))
    json.loads(explanation.json())


def test_functions_that_run_only_once_print():
    runs = []

    def once(x):
        assert not runs, "this function runs once"
        runs.append(x)
        return x * x

    text = str(jk.explain(once)(3.0))
    assert re.search(r"x +df/dn +6.0 +· +· +· +·\n", text)


def test_what_is_saved_is_what_linearize_keeps():
    for f, x in [
        (lambda x: x * 3.0, 2.0),
        (lambda x: jnp.sum(jnp.sin(x) * 1.01), jnp.ones(1000)),
        (lambda x: x**2, 0.0),
    ]:
        residuals = jax.tree.leaves(jk.linearize(f, x)[1])
        size = sum(r.nbytes for r in residuals)
        assert f"({size} bytes)" in str(jk.explain(f)(x)) or size == 0
    assert jk.stages(lambda x: x**2)(0.0).linear.of(2) == ["dn2 = mul dn1 0.0"]


BOXES = ["scan", "cond", "while", "jit", "checkpoint", "custom_jvp"]


@pytest.mark.parametrize("name", BOXES)
def test_boxes_open(name):
    function, args = PROGRAMS[name]
    explanation = jk.explain(function)(*args)
    box = explanation.boxes[0]
    inner = explanation.open(box.number)
    assert len(inner.steps) >= 1
    for inside, outside in zip(inner.outputs, box.step.outputs, strict=True):
        np.testing.assert_allclose(inside.value, outside.value, rtol=1e-12)
        if outside.moves:
            np.testing.assert_allclose(
                inside.tangents[0], outside.tangents[0], rtol=1e-9
            )
    if name in ("scan", "while"):  # they open into steps, which open again
        step = inner.open(inner.boxes[0].number)
        assert step.steps and "step_0" in str(inner)
    shares = box.step.pull([y.adjoints[0] for y in box.step.outputs if y.moves])
    for x, share in zip(inner.inputs, shares, strict=True):
        if share is not None:
            np.testing.assert_allclose(x.adjoints[0], share, rtol=1e-9)


def test_what_is_no_box_says_so():
    with pytest.raises(ValueError, match="n4 is no box"):
        jk.explain(f)(3.0, 4.0).open(4)


def test_large_graphs_are_folded_by_line():
    def many(x):
        for _ in range(40):
            x = jnp.sin(x) * 2.0
        return x

    explanation = jk.explain(many, fold=20)(1.0)
    assert len(explanation.nodes) > 80
    text = str(explanation)
    assert re.search(r"n42..n120 +79 nodes, test_explain.py:\d+", text)
    assert re.search(r"n2..n41 +40 constants", text)
    assert len(text.splitlines()) < 25
    assert len(explanation.graph().boxes) == 3
    assert len(jk.explain(many, fold=1000)(1.0).graph().boxes) > 80


@pytest.mark.parametrize(
    "x",
    [jnp.array(9 * [[1.0, jnp.nan, 3.0]]).T.at[1, 1:].set(2.0), jnp.zeros((0, 2)),
     1j * jnp.ones((3, 9))],
)  # fmt: skip
def test_arrays_are_summarised(x):
    text = str(jk.explain(lambda x: x * 2.0)(x))
    expected = {27: "f64[3,9] 1..3, 1 NaN", 0: "f64[0,2]"}
    assert (expected.get(x.size) if x.dtype.kind == "f" else "c128[3,9]") in text


# ----------------------------------------------------------------------------- formats


def drawn(explanation):
    """The nodes that have a box: not the constant numbers, which stand in others."""
    leaves = [x for x in explanation.leaves if x.kind == "const" and x.is_number]
    inline = set(leaves) - set(explanation.outputs)
    return [x for x in explanation.nodes if x not in inline]


def edges_of(explanation):
    return sorted(
        (repr(x), repr(y))
        for step in explanation.steps
        for y in step.outputs
        for x in step.operands
        if x in drawn(explanation)
    )


@pytest.mark.parametrize("name", PROGRAMS)
def test_pictures_are_well_formed(name):
    function, args = PROGRAMS[name]
    explanation = jk.explain(function, fold=1000)(*args)
    root = ET.fromstring(explanation.svg())
    assert root.tag.endswith("svg")
    assert len(found(root, "rect")) == len(drawn(explanation)) + (name == "cond")
    faint = [p for p in found(root, "path") if p.get("class") == "faint"]
    arrows = found(root, "path")[1:]  # the first is the tip of all
    assert len(arrows) - len(faint) == len(edges_of(explanation))
    assert bool(faint) == (name == "cond")
    assert float(root.get("width")) <= 900
    assert "prefers-color-scheme: dark" in explanation.svg()
    lines = explanation.mermaid().splitlines()
    assert lines[0] == "flowchart LR"
    edges = [re.fullmatch(r'    (n\d+) -->(\|"[^"]*"\|)? (n\d+)', x) for x in lines]
    assert sorted((e[1], e[3]) for e in edges if e) == edges_of(explanation)
    boxes = [re.fullmatch(r'    (n\d+)[(\[]+"[^"]*"[)\]]+', x) for x in lines]
    assert [b[1] for b in boxes if b] == list(map(repr, drawn(explanation)))


def found(root, tag):
    return root.findall(f".//{{http://www.w3.org/2000/svg}}{tag}")


def rectangles(root):
    return [
        [float(r.get(k)) for k in ("x", "y", "width", "height")]
        for r in found(root, "rect")
    ]


@pytest.mark.parametrize("name", PROGRAMS)
def test_boxes_do_not_overlap(name):
    function, args = PROGRAMS[name]
    root = ET.fromstring(jk.explain(function)(*args).svg())
    boxes = rectangles(root)
    for i, (x, y, w, h) in enumerate(boxes):
        for a, b, c, d in boxes[:i]:
            apart = x + w <= a or a + c <= x or y + h <= b or b + d <= y
            assert apart, "two boxes overlap"
    width, height = float(root.get("width")), float(root.get("height"))
    assert all(0 <= x and x + w <= width for x, _, w, _ in boxes)
    assert all(0 <= y and y + h <= height for _, y, _, h in boxes)


def along(path):
    """Points of an arrow: it is made of curves, and ends in a line."""
    numbers = [float(x) for x in re.findall(r"-?[\d.]+", path)]
    x, y = numbers[:2]
    curves = numbers[2:-1]
    for k in range(0, len(curves), 6):
        a, b, c, d, e, f = curves[k : k + 6]
        for t in np.linspace(0, 1, 30):
            weights = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3
            yield np.dot(weights, (x, a, c, e)), np.dot(weights, (y, b, d, f))
        x, y = e, f
    for t in np.linspace(0, 1, 10):
        yield x, y + t * (numbers[-1] - y)


@pytest.mark.parametrize("name", PROGRAMS)
def test_no_arrow_crosses_a_label_or_a_box(name):
    function, args = PROGRAMS[name]
    root = ET.fromstring(jk.explain(function)(*args).svg())
    labels = [
        (float(t.get("x")), float(t.get("y")) - 8, 6.7 * len(t.text), 8)
        for t in found(root, "text")
        if t.get("class") == "label"
    ]
    inner = [(x + 1, y + 1, w - 2, h - 2) for x, y, w, h in rectangles(root)]
    for path in found(root, "path")[1:]:
        for px, py in along(path.get("d")):
            for x, y, w, h in [*labels, *inner]:
                assert not (x < px < x + w and y < py < y + h)


def test_special_characters_are_escaped():
    graph = Graph(
        [Box("a", '<"&>', ("#1; `x`",)), Box("b", "b")], [Arrow("a", "b", "<")]
    )
    ET.fromstring(svg(graph))
    assert '"#60;#34;#38;#62;<br/>#35;1; #96;x#96;"' in mermaid(graph)


def test_json_holds_every_number():
    explanation = jk.explain(f)(3.0, 4.0)
    data = json.loads(explanation.json())
    assert [n["value"] for n in data["nodes"]] == [3, 4, 2, 9, 36, 6, 42]
    assert [n["adjoints"][0] for n in data["nodes"]] == [24, 10, 1, 4, 1, 1, 1]
    assert data["nodes"][0]["arrivals"][0] == {
        "from": 4,
        "partial": 3.0,
        "cotangents": [12.0],
    }
    strange = json.loads(jk.explain(lambda z: z * 1j)(complex("inf")).json())
    assert strange["nodes"][0]["value"] == ["inf", 0.0]


@pytest.mark.parametrize("suffix", [".html", ".svg", ".mmd", ".json", ".txt"])
def test_files(tmp_path, suffix):
    explanation = jk.explain(f)(3.0, 4.0)
    explanation.save(tmp_path / f"f{suffix}")
    assert (tmp_path / f"f{suffix}").read_text(encoding="utf-8")
    with pytest.raises(ValueError, match=r"f.png: end it with one of .html, .svg"):
        explanation.save(tmp_path / "f.png")


def test_notebooks_show_a_picture():
    bundle = jk.explain(f)(3.0, 4.0)._repr_mimebundle_()
    assert bundle["text/plain"].startswith(TABLE)
    assert bundle["image/svg+xml"].startswith("<svg")


def test_s6_three_graphs_of_one_function():
    from jaxkit.study import symbolic, tape

    def labelled(graph):
        """Edges by what the boxes hold, and how many boxes; constants aside."""
        kinds = {b.name: b.kind for b in graph.boxes if b.kind != "const"}
        arrows = [a for a in graph.arrows if a.start in kinds]
        return sorted((kinds[a.start], kinds[a.end]) for a in arrows), len(kinds)

    expr, _ = symbolic.build(f, x=3.0, y=4.0)
    drawn = symbolic.graph(expr)
    explained = jk.explain(f)(3.0, 4.0).graph()
    taped = tape.Tape(f, [3.0, 4.0]).graph()
    assert labelled(drawn) == labelled(taped) == labelled(explained)
    x = next(b.name for b in drawn.boxes if b.title == "x")
    product = next(b.name for b in drawn.boxes if b.title == "Mul")
    assert drawn.arrows.count(Arrow(x, product)) == 2
    lines = mermaid(drawn).splitlines()
    assert lines.count(f"    {x} --> {product}") == 2
    for graph in (drawn, taped):
        ET.fromstring(svg(graph))


# ---------------------------------------------------------------------------- messages


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (
            lambda: jk.explain(f, mode="back"),
            ValueError,
            "mode='back'; pass one of forw",
        ),
        (lambda: jk.explain(f, order=3), ValueError, "order=3; pass 1, or 2"),
        (lambda: jk.explain(f(3, 4)), TypeError, "must be a function, got 42"),
        (lambda: jk.explain(f)(3, 4), TypeError, r"no argument is a float.*pass 3\.0"),
        (
            lambda: jk.explain(f, tangents=(1.0,))(3.0, 4.0),
            TypeError,
            "tangents must be a tuple like the arguments",
        ),
        (
            lambda: jk.explain(f, tangents=(X, 1.0))(3.0, 4.0),
            TypeError,
            r"a leaf of tangents has shape \(3,\), not \(\)",
        ),
        (
            lambda: jk.explain(f, cotangent=(1.0, 2.0))(3.0, 4.0),
            TypeError,
            "the output, which has 1 leaves, but has 2",
        ),
        (
            lambda: jk.explain(f)(3.0, 4.0)[0],
            ValueError,
            "there is no node n0; there are n1 to n7",
        ),
        (
            lambda: next(jk.explain(f, step=True)(3.0, 4.0)).open(4),
            ValueError,
            "when the walk has come to its end",
        ),
        (lambda: jk.stages(f)(3, 4), TypeError, r"stages: no argument is a float"),
        (lambda: jk.explain(f)("three", 4.0), TypeError, "x is 'three' of <class"),
        (
            lambda: jk.grad(lambda c: jk.explain(lambda x: x * c)(3.0)[1].value)(2.0),
            TypeError,
            "uses a value that a transform around this call traces",
        ),
        (
            lambda: jax.jit(lambda x: jk.explain(f)(x, 4.0).nodes[0].value)(3.0),
            TypeError,
            "x is traced, by a transform such as jax.jit",
        ),
    ],
)
def test_messages(call, error, match):
    with pytest.raises(error, match=match):
        call()


# ------------------------------------------------------------------------------ stages


def test_stages_are_linked_line_by_line():
    found = jk.stages(f)(3.0, 4.0)
    assert [stage.name for stage in found] == [
        "primal",
        "tangents",
        "linear",
        "transpose",
    ]
    assert found.primal.of(5) == ["n5 = mul n4 n2"]
    assert found.tangents.of(6) == ["n6 = add n2 n3", "dn6 = dn2"]
    assert found.linear.of(5) == [
        "t2 = mul dn4 n2",
        "t3 = mul dn2 n4",
        "dn5 = add t2 t3",
    ]
    assert found.transpose.of(5) == ["cn2 += mul cn5 n4", "cn4 += mul cn5 n2"]
    numbers = [n for n, _ in found.transpose.lines]
    assert numbers == sorted(numbers, reverse=True)
    text = str(found)
    assert "linear: dn1 dn2 -> dn7, with residuals n1..n2, n4" in text
    assert "  n5 | cn4 += mul cn5 n2" in text


@pytest.mark.parametrize(
    "name", [x for x in PROGRAMS if x not in ("custom_vjp", "integers")]
)
def test_stages_run(name):
    function, args = PROGRAMS[name]
    found = jk.stages(function)(*args)
    y, dy = jax.jvp(function, args, args)
    close = lambda a, b: jax.tree.map(  # noqa: E731
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12), a, b
    )
    close(found.primal(*args), y)
    close(found.tangents(args, args), (y, dy))
    close(found.linear(*args), dy)
    if name != "while":
        close(found.transpose(y), jax.vjp(function, *args)[1](y))
    assert found.primal.lines and str(found)


def test_nodes_know_their_rule():
    e = jk.explain(lambda x: jnp.sin(x) * x)(2.0)
    assert e[1].rule is None
    assert e[2].rule is jk.rules["sin"]
    assert "dz = cos(x) dx" in str(e[2].rule)
    assert "dz = y dx + x dy" in json.loads(e.json())["nodes"][2]["rule"]


def test_a_function_without_a_derivative():
    e = jk.explain(lambda x: jnp.argmax(x))(jnp.array([1.0, 3.0]))
    assert e.seeds == [] and e.outputs[0].value == 1
    assert jnp.all(e.inputs[0].tangents[0] == 1)


def test_what_was_noted_is_not_kept_by_a_compiled_function():
    """The jaxpr of one with a user's rule keeps the trace that it was traced in."""
    double = jax.custom_vjp(lambda x: 2 * x)
    double.defvjp(lambda x: (2 * x, None), lambda _, ct: (2 * ct,))
    compiled = jax.jit(lambda x: double(x * 0.5))
    explained = jk.explain(lambda x: jnp.sin(x) * compiled(x))(1.5)
    value = weakref.ref(explained.nodes[0].value)
    del explained
    gc.collect()
    assert value() is None


# ------------------------------------------------------------------ what text must show


def test_a_permuted_gradient_looks_different():
    """What differs doesn't look equal: in full, or by the largest difference."""
    explanation = jk.explain(lambda x: jnp.sum(x**2 / 2))(jnp.array([3.0, 4.0]))
    assert re.search(r"x +df/dn +\[3, 4\] +0 +[\d.]+e-\d\d", str(explanation))
    for n in 2, 20:
        x = jnp.arange(1.0, n + 1)
        explanation = jk.explain(lambda x: jnp.sum(x**2 / 2))(x)
        before = str(explanation)
        (node,) = explanation.inputs
        node.adjoints = [node.adjoints[0][::-1]]
        assert str(explanation) != before
        row = re.search(r"\nx +df/dn.*", str(explanation))[0].split("  ")
        assert float(row[-1]) == float(row[-2]) == n - 1


@pytest.mark.parametrize("columns", ["60", "100", "200"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_text_fits_the_terminal(name, columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", columns)
    function, args = PROGRAMS[name]
    explanation = jk.explain(function)(*args)
    longest = max(map(len, str(explanation).splitlines()))
    assert longest <= int(columns)
    for node in explanation.nodes:  # and nothing is lost
        assert re.search(rf"^{node} ", str(explanation), re.MULTILINE)


def test_what_signs_mean():
    text = str(jk.explain(lambda x: x * x)(X))
    assert "dx=1: all entries of that input move by one" in text
    assert "df/dn: by the entries of each node, the derivative of the sum" in text
    text = str(jk.explain(lambda a, b, c, d: a * b + c * d)(1.0, 2.0, 3.0, 4.0))
    assert "all=1: all entries of all inputs move by one" in text
    states = [str(state) for state in jk.explain(f, step=True)(3.0, 4.0)]
    assert all("·: not computed yet" in x for x in states[:-4])
    assert "·" not in states[-1]
    text = str(jk.explain(lambda z: jnp.abs(z))(1j))
    assert "· of differences: they are for real numbers, up to 64 of them" in text


def test_where_a_nan_comes_from():
    text = str(jk.explain(lambda x: jnp.log(x) / x)(jnp.array([1.0, -1.0])))
    assert "the first NaN in values: n2 = log(n1), test_explain.py:" in text
    assert "of n1 = [1, -1]" in text
    text = str(jk.explain(lambda x: jnp.sqrt(x * x))(0.0))
    assert "NaN in values" not in text
    assert "the first NaN in dx=1: n3 = sqrt(n2), test_explain.py:" in text
    assert "the first NaN in df/dn: n1, of what comes from n2 = n1 * n1" in text


def test_the_users_names_and_operators():
    def model(w, x):
        h = jnp.tanh(w @ x)
        y = h + 1.0
        return y > 1, y

    text = str(jk.explain(model)(jnp.ones((2, 3)), X))
    for line in "n1 @ n2", "h = tanh(n5)", "y = n6 + n3", "n7 > n4":
        assert line in text
    assert re.search(r"test_explain.py:\d+ +n5..n6  h = jnp.tanh\(w @ x\)", text)


def test_the_lines_of_libraries_are_not_the_users():
    eqx = pytest.importorskip("equinox")
    layer = eqx.nn.Linear(3, 2, key=jax.random.key(0))

    def model(x):
        return jnp.sum(layer(x))

    steps = jk.explain(model)(X).steps
    assert {x.source.place.partition(":")[0] for x in steps} == {"test_explain.py"}
    with pytest.raises(TypeError, match=r"argument 0|model.*eqx.partition\(model"):
        jk.explain(lambda model, x: model(x))(
            eqx.nn.MLP(3, 1, 2, 1, key=jax.random.key(0)), X
        )


@pytest.mark.parametrize(
    ("chosen", "names"),
    [
        ({}, ["x", "y"]),
        ({"argnums": 1}, ["y"]),
        ({"argnums": (1, 0)}, ["y", "x"]),
        ({"argnames": "z"}, ["z"]),
        ({"argnums": 0, "argnames": ("z",)}, ["x", "z"]),
    ],
)
def test_chosen_arguments(chosen, names):
    def g(x, y, *, z):
        return x * y + z * jnp.sin(x)

    explanation = jk.explain(g, **chosen)(3.0, 4.0, z=2.0)
    assert explanation.names == names
    exact = {"x": 4 + 2 * np.cos(3.0), "y": 3.0, "z": np.sin(3.0)}
    for name, found in zip(names, explanation.gradient(), strict=True):
        np.testing.assert_allclose(found, exact[name])


def test_json_says_what_it_leaves_out():
    explanation = jk.explain(lambda x: jnp.sum(x * x))(jnp.arange(30.0))
    data = json.loads(explanation.json(entries=20))
    assert data["left_out"] == 9 * 30  # values, tangents, adjoints, and arrivals
    assert data["nodes"][0]["value"] == {"left_out": 30, "min": 0, "max": 29, "nan": 0}
    assert json.loads(explanation.json())["left_out"] == 0


def test_the_partials_of_a_scan_are_named():
    def g(x):
        return lax.scan(lambda c, y: (jnp.sin(c) * y, c), x[0], x)[0]

    found = jk.stages(g)(X)
    for stage in found.linear, found.transpose:
        assert "sin in 3 steps" in str(stage) and "mul in 3 steps" in str(stage)


# ------------------------------------------------------------------ found by fresh eyes


@pytest.mark.parametrize(
    ("g", "gradient"),
    [(lambda x: x, 1.0), (lambda x: 2.0, 0.0), (lambda x: (x, jnp.ones(2)), 1.0)],
)
def test_a_function_that_does_nothing(g, gradient):
    found = jk.explain(g)(3.0)
    assert found.steps == [] and found.gradient() == [gradient]
    assert str(found)


def test_a_constant_stands_still_where_its_partial_is_infinite():
    found = jk.explain(lambda x: x / 0.0)(1.0)
    y, dy = jk.jvp(lambda x: x / 0.0, (1.0,), (1.0,))
    (output,) = found.outputs
    assert (output.value, output.tangents) == (y, [dy]) == (jnp.inf, [jnp.inf])
    assert "NaN" not in str(found)


def test_lines_inside_a_box_are_those_of_the_box():
    """The slices that unroll a scan have no line of their own; `open` isn't theirs."""

    def steps(w, xs):
        def cell(h, x):
            return jnp.tanh(w * h + x), None

        last, _ = lax.scan(cell, 0.0, xs)
        z = lax.while_loop(lambda z: z < 2, lambda z: z + 1.5, last)
        return jnp.sum(jnp.fft.fft(jnp.stack([z, w])).real) + jax.nn.relu(z)

    outer = jk.explain(steps)(0.5, jnp.arange(3.0))
    shown = [outer]
    for explanation in shown:
        shown += [explanation.open(box.number) for box in explanation.boxes]
    assert len(shown) > 8
    lines, start = inspect.getsourcelines(steps)
    for step in (step for explanation in shown for step in explanation.steps):
        assert step.source.file == __file__, step.name
        assert start <= step.source.line < start + len(lines), step.name
    scan = next(x for x in shown if x.name.endswith(" scan"))
    assert {s.source.text for s in scan.steps if s.name == "slice"} == {
        "last, _ = lax.scan(cell, 0.0, xs)"
    }
    loop = next(x for x in shown if x.name.endswith(" while"))
    assert not loop.assigned, "z is what the loop is, not what a step of it is"


def test_numbers_in_json_have_the_digits_of_their_dtype():
    data = json.loads(jk.explain(lambda x: x * 3)(jnp.float32(0.1)).json())
    assert data["nodes"][0]["value"] == 0.1
    data = json.loads(jk.explain(lambda x: x * 3)(jnp.array([[0.1, jnp.nan]])).json())
    assert data["nodes"][0]["value"] == [[0.1, "nan"]]


def test_complex_arrays_have_a_range_and_nans():
    z = jnp.array([3 + 4j] * 9 + [1j, jnp.nan])
    assert "c64[11] |1..5|, 1 NaN" in str(jk.explain(lambda z: z * 2)(z))


def test_the_page_is_made_once(monkeypatch):
    found = jk.explain(f)(3.0, 4.0)
    page = found.html()
    assert found.html() is page and page in html.unescape(found._repr_html_())
    found.complete()
    assert found.html() is not page, "walked again, it is made again"
