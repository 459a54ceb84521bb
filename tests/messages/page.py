"""The page: each misuse, what JAX says and what jaxkit says."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from importlib import import_module

import jax

import jaxkit as jk
from tests.messages.cases import CHAPTERS, Misuse, pair, square, total
from tests.messages.said import LONGEST, both, faults, legible, said

PAGE = """\
# Messages

Written by `python -m tests.messages` with JAX {version}; a test checks it, and on other
versions its claims.

What users do wrong, {count} misuses, what JAX says and what jaxkit says. In each
program `t` is the one or the other, and a line that ends in `# HERE` is the one to be
found. To {silent} of them JAX says nothing, and {only} are of functions that JAX hasn't
got. To {same} both say the same: there Python, NumPy or JAX raises the exception, of
code or a rule of the user's.

Of jaxkit's messages it is checked that they have what applies: which argument, leaf or
function; what came; the line of the user's code, if it isn't the last one in the
traceback; what to do instead, which {foreign} of Python, NumPy and JAX don't say. The
class of an exception is JAX's, and its traceback shows no more frames of jaxkit and JAX
than JAX's does of JAX: {ours} in all of these, and {theirs} in JAX's.

Lines are counted from the first that is shown, and messages of more than {longest}
characters end in [...].

The programs share these:

```python
X = np.ones(3)

{shared}
```
"""
FILES = "arguments", "outputs", "vectors", "functions", "rules"  # in this order

for name in FILES:
    import_module(f"tests.messages.{name}")
MISUSES = [misuse for misuses in CHAPTERS.values() for misuse in misuses]

ENTRY = """\
### {title}

```python
{code}
```

```text
JAX:    {jaxs}

jaxkit: {ours}
```
"""


def entry(misuse: Misuse) -> str:
    ours, jaxs = both(misuse)
    return ENTRY.format(
        title=misuse.title,
        code=misuse.code,
        jaxs="has no such function" if jaxs is None else legible(misuse, jaxs),
        ours=legible(misuse, ours),
    )


def page() -> tuple[str, list[str]]:
    """The page for this version of JAX, and what is wrong with messages in it."""
    problems = [f"{m.title}: {fault}" for m in MISUSES for fault in faults(m)]
    pairs = [(m, said(m, jax)) for m in MISUSES if not m.only]
    head = PAGE.format(
        version=jax.__version__,
        count=len(MISUSES),
        ours=sum(said(m, jk).internal for m, _ in pairs),
        theirs=sum(it.internal for _, it in pairs),
        silent=sum(it.raised is None for _, it in pairs),
        only=len(MISUSES) - len(pairs),
        same=sum(it.message == said(m, jk).message for m, it in pairs),
        foreign=sum(m.foreign for m in MISUSES),
        longest=LONGEST,
        shared="\n\n".join(inspect.getsource(f) for f in (square, total, pair)).strip(),
    )
    return "\n".join([head, *chapters()]), problems


def chapters() -> Iterator[str]:
    for title, misuses in CHAPTERS.items():
        yield f"## {title}\n"
        yield from map(entry, misuses)
