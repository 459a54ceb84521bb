"""`python -m jaxkit explain`: a function, node by node."""

from __future__ import annotations

import argparse
import ast
import builtins
import importlib
import importlib.util
import inspect
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxkit

DESCRIPTION = """\
Show what differentiating a function computes: value, tangents and adjoint of each
number that arises.

    python -m jaxkit explain "x * x * y + (y + 2)" 3 4
    python -m jaxkit explain "lambda x: sum(sin(x))" "[1, 2, 3]" --save sin.svg
    python -m jaxkit explain model.py:loss "[0.5, 0.1]" --mode reverse
    python -m jaxkit explain "sum(tanh(x @ p['w']))" "f32[2,3]" "{'w': ones((3, 2))}"
    python -m jaxkit explain "sin(x) * x" 2 --html sin.html

The function is an expression, in which the names of jax.numpy are known and others are
its arguments, as they come; or `lambda ...`, `file.py:name`, `package.module:name`.
Arguments are expressions, too: numbers, lists, dicts, `linspace(0, 1, 5)`, taken as
floats; or a shape, `f32[2,3]`, of random numbers.

How to read the table: each row is a node, a number (or an array) that arose.  `dx=1`
is its tangent: how fast it changes when x does.  `df/dn` is its adjoint: how fast the
result changes when the node does.  It arrives from the nodes that use this one, as
adjoint times local partial.  Tangents are computed downwards, adjoints upwards; try
--step to watch.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("function", help="an expression, file.py:name, or module:name")
    add("arguments", nargs="*", help="expressions, or shapes: 3 '[1, 2]' 'f32[5]'")
    add("--mode", choices=["forward", "reverse", "both"], default="both")
    add("--order", type=int, choices=[1, 2], default=1, help="2: explain the gradient")
    add("--step", action="store_true", help="one node at a time; Enter goes on")
    add("--box", type=int, metavar="N", help="what is inside node N, a box")
    add("--fold", type=int, default=60, metavar="N", help="fold larger graphs by line")
    add("--stages", action="store_true", help="the program at each stage of the kit")
    add(
        "--save",
        type=Path,
        metavar="FILE",
        help="to a file: .html, .svg, .mmd, .json, .txt",
    )
    add("--html", type=Path, metavar="FILE", help="a page to step through, to a file")
    add("--open", action="store_true", help="that page, in a browser")
    parser.set_defaults(run=run)


def run(args) -> int:
    function = load(args.function)
    values = [floats(argument(x, i)) for i, x in enumerate(args.arguments)]
    check_number(args.function, function, values)
    files = [path for path in (args.save, args.html) if path]
    chosen = [args.stages, args.step, bool(files), args.open, args.box is not None]
    if (args.stages or args.step) and sum(chosen) > 1:
        raise ValueError("--stages and --step only print; pass one of them, alone")
    if args.stages:
        print(jaxkit.stages(function)(*values))
        return 0
    options = {"mode": args.mode, "order": args.order, "fold": args.fold}
    if args.step:
        for state in jaxkit.explain(function, step=True, **options)(*values):
            print(state, end="\n\n")
            wait()
        return 0
    explanation = jaxkit.explain(function, **options)(*values)
    if args.box is not None:
        explanation = explanation.open(args.box)
    if args.html and args.html.suffix != ".html":
        raise ValueError(f"--html {args.html}: end its name with .html")
    for path in files:
        explanation.save(path)
        print(f"written: {path}")
    if args.open:
        print(f"in the browser: {explanation.show()}")
    if not files and not args.open:
        print(explanation)
    return 0


def check_number(text: str, function: Callable, values: list[Any]) -> None:
    """Raise ValueError unless the function can be called with so many arguments."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # it doesn't say
        return
    try:
        signature.bind(*values)
    except TypeError as error:
        raise ValueError(
            f"{text!r} takes the arguments {signature}, and {len(values)} came "
            f"({error}); pass them behind it"
        ) from None


def said(error: Exception) -> str:
    """What is wrong; where, a line of what was typed, is plain."""
    return error.msg if isinstance(error, SyntaxError) else str(error)


def load(text: str) -> Callable:
    """The function that was named, or written.

    Raises:
        ValueError: there is no such file, module or name, or it is no expression.
    """
    where, colon, name = text.rpartition(":")
    if colon and name.isidentifier():
        return getattr_or_say(module(where), name, where)
    try:
        found = eval(compile(with_arguments(text), "<function>", "eval"), NAMES)
    except (SyntaxError, NameError) as error:
        raise ValueError(
            f"{text!r} is no expression ({said(error)}); pass one, such as "
            "'sin(x) * x', or file.py:name"
        ) from None
    if not callable(found):
        raise ValueError(f"{text!r} is no function; write 'x * x', or 'lambda x: ...'")
    return found


NAMES = vars(jnp) | {"jnp": jnp, "jax": jax, "lax": jax.lax}


def with_arguments(text: str) -> str:
    """An expression as a function of the names in it that nothing else has."""
    tree = ast.parse(text, mode="eval")
    nodes = [x for x in ast.walk(tree) if isinstance(x, ast.Name)]
    nodes.sort(key=lambda x: (x.lineno, x.col_offset))
    bound = {x.arg for x in ast.walk(tree) if isinstance(x, ast.arg)}
    bound |= {x.id for x in nodes if isinstance(x.ctx, ast.Store)}
    known = {*NAMES, *vars(builtins), *bound}
    free = list(dict.fromkeys(x.id for x in nodes if x.id not in known))
    if free and isinstance(tree.body, ast.Lambda):
        raise ValueError(f"{text!r}: there is no {free[0]} in jax.numpy")
    called = {
        x.func.id
        for x in ast.walk(tree)
        if isinstance(x, ast.Call) and isinstance(x.func, ast.Name)
    }
    if unknown := [name for name in free if name in called]:
        raise ValueError(f"{text!r}: there is no function {unknown[0]} in jax.numpy")
    if not free:
        return text
    return f"lambda {', '.join(free)}: {text}"


def module(where: str) -> Any:
    if not where.endswith(".py"):
        sys.path.insert(0, "")
        try:
            return importlib.import_module(where)
        except ModuleNotFoundError as error:
            raise ValueError(f"there is no module {where}: {error}") from None
    path = Path(where)
    if not path.exists():
        raise ValueError(f"there is no file {where}")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec and spec.loader
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def getattr_or_say(found: Any, name: str, where: str) -> Callable:
    if not callable(getattr(found, name, None)):
        raise ValueError(f"there is no function {name} in {where}")
    return getattr(found, name)


def argument(text: str, seed: int = 0) -> Any:
    """An argument: `f32[10,3]`, draws of that shape, or an expression: `ones(5)`.

    Raises:
        ValueError: it is neither.
    """
    if match := re.fullmatch(r"f32\[([\d, ]*)\]", text):
        shape = [int(size) for size in match[1].split(",") if size.strip()]
        draws = np.random.default_rng(seed).normal(size=shape)
        return jnp.asarray(draws, jnp.float32)
    advice = "pass a shape, such as 'f32[10,3]', or an expression, such as 'ones(5)'"
    if re.match(r"[a-z]+\d+\[", text):
        only = "is not a shape such as 'f32[10,3]' (only f32 is drawn)"
        raise ValueError(f"{text!r} {only}; {advice}")
    try:
        return arrays(eval(text, dict(NAMES)))
    except Exception as error:
        raise ValueError(f"{text!r} is no argument ({said(error)}); {advice}") from None


def arrays(x: Any) -> Any:
    """Lists as arrays, in dicts and tuples too."""
    if isinstance(x, dict):
        return {key: arrays(y) for key, y in x.items()}
    return tuple(map(arrays, x)) if isinstance(x, tuple) else jnp.asarray(x)


def floats(x: Any) -> Any:
    """Whole numbers as floats, which move."""
    return jax.tree.map(lambda x: x * 1.0 if x.dtype.kind in "iu" else x, x)


def wait() -> None:
    """Until Enter is pressed; nothing where nobody is there to press it."""
    if sys.stdin.isatty():
        input()
