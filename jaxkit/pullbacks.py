"""What `vjp` returns: a linear map, whose residuals can be read and replaced.

Of the arrays that the backward pass reads some are arguments as they were given, and
the others were computed (`args_res`, `opaque_residuals`).  Where an argument is large
and at hand later, it needn't be kept: see `saveable_args` of `vjp`.  Cotangents may be
added to references, where they are large, too (`with_refs`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Any

import jax
from jax import ref
from jax.tree_util import tree_flatten, tree_leaves, tree_structure, tree_unflatten

from jaxkit.border.messages import describe, leaf_name, short
from jaxkit.border.space import COTANGENT, Space, flatten
from jaxkit.border.tracebacks import entry
from jaxkit.maps import LinearMap
from jaxkit.program import Code, LinearProgram, Var
from jaxkit.tangents import zero_cotangent
from jaxkit.tracing import cotangent_of, typeof, wide_enough

ad: Any = vars(jax)["ad"]  # what users call jax.ad: the entries of `with_refs`


@jax.tree_util.register_pytree_node_class
class Absent:
    """Stands in `args_res` for an argument that isn't there: a pytree without leaves.

    `NotNeeded`: the backward pass doesn't read it; `NotSaveable`: it does, and it must
    be put there first.
    """

    def __init__(self, why: str):
        self.why = why

    def tree_flatten(self):
        return (), self.why

    @classmethod
    def tree_unflatten(cls, why, _):
        return ABSENT[why]

    def __repr__(self):
        return f"{self.why}()"


NotNeeded, NotSaveable = Absent("NotNeeded"), Absent("NotSaveable")
ABSENT = {x.why: x for x in (NotNeeded, NotSaveable)}


def _is_absent(x: Any) -> bool:
    return isinstance(x, Absent)


@jax.tree_util.register_pytree_node_class
class Pullback(LinearMap):
    """The pullback of a function at a point: a `LinearMap` from cotangents.

    Attributes:
        args_res: a list with an entry for each argument, a pytree like it, in which are
            the arrays that the backward pass reads; the others are `NotNeeded`, or
            `NotSaveable`.  The list, or an entry, may be replaced.  Where `vjp` runs
            at once, without `saveable_args`, an argument may stand among the opaque
            residuals, as a copy that a compiled step made.
        opaque_residuals: a list of the other arrays that it reads.
        out_nzs: a pytree like the output: whether the derivative reaches that leaf.
    """

    def __init__(self, program, inputs: Space, outputs: Space, name: str, leaves):
        super().__init__(program, True, inputs, outputs, name)
        self._numbers = {id(x): i for i, x in enumerate(leaves)}
        self._apart: tuple | None = None  # (code, places, args_res, opaque_residuals)

    # --- Residuals --------------------------------------------------------------------

    @property
    def _recorded(self) -> LinearProgram:
        if self._apart is None:
            return self._whole
        code, places, args, opaque = self._apart
        leaves = tree_leaves(args, is_leaf=_is_absent)
        lacking = [i for i in places if i is not None and _is_absent(leaves[i])]
        if lacking:
            named = [("args_res", jax.tree.map(id, args, is_leaf=_is_absent))]
            names = ", ".join(leaf_name(named, i) for i in lacking)
            raise ValueError(
                f"{self.name}: the backward pass reads {names}, which saveable_args "
                "says wasn't to be kept; put the arrays there before it is run"
            )
        rest = iter(opaque)
        arrays = [next(rest) if i is None else leaves[i] for i in places]
        for x, v in zip(arrays, code.residuals, strict=True):
            if (
                x.dtype != v.aval.dtype
                or x.shape[x.ndim - v.aval.ndim :] != v.aval.shape
            ):
                raise ValueError(
                    f"{self.name}: a residual is {short(typeof(x))}, and the backward "
                    f"pass reads {short(v.aval)}; put one of that type into args_res, "
                    "or opaque_residuals"
                )
        return LinearProgram(code, arrays)

    @_recorded.setter
    def _recorded(self, program):
        self._whole, self._apart = program, None

    def take_apart(self, saveable: Sequence[bool]) -> None:
        """Keep the residuals that are arguments beside the others."""
        program = self._whole.prune()
        places = [self._numbers.get(id(x)) for x in program.residuals]
        leaves: list[Any] = [NotNeeded] * len(self._inputs.avals)
        for x, i in zip(program.residuals, places, strict=True):
            if i is not None:
                leaves[i] = x if saveable[i] else NotSaveable
        args = list(tree_unflatten(self._inputs.tree, leaves))
        pairs = zip(program.residuals, places, strict=True)
        opaque = [x for x, i in pairs if i is None]
        self._apart = program.code, tuple(places), args, opaque
        del self._whole

    def _parts(self) -> tuple:
        if self._apart is None:
            self.take_apart([True] * len(self._inputs.avals))
        return self._apart  # pyright: ignore

    @property
    def args_res(self) -> list[Any]:
        return self._parts()[2]

    @args_res.setter
    def args_res(self, args):
        self._put(args, self.opaque_residuals)

    @property
    def opaque_residuals(self) -> list[Any]:
        return self._parts()[3]

    @opaque_residuals.setter
    def opaque_residuals(self, arrays):
        self._put(self.args_res, arrays)

    def _put(self, args, opaque) -> None:
        code, places, known, others = self._parts()
        n, m = (len(tree_leaves(x, is_leaf=_is_absent)) for x in (known, args))
        if n != m or len(opaque) != len(others):
            raise ValueError(
                f"{self.name}: args_res has {m} leaves and there are {len(opaque)} "
                f"opaque_residuals; pass as many as there were, {n} and {len(others)}"
            )
        self._apart = code, places, list(args), list(opaque)

    @entry
    def replace(
        self, *, args_res: Any = None, opaque_residuals: Any = None
    ) -> Pullback:
        """The same pullback with other residuals; those not given stay.

        Raises ValueError if there are more, or fewer, than there were.
        """
        other = jax.tree.map(lambda x: x, self)
        args = self.args_res if args_res is None else args_res
        kept = self.opaque_residuals if opaque_residuals is None else opaque_residuals
        other._put(args, kept)
        return other

    def tree_flatten(self) -> Any:
        code, places, args, opaque = self._parts()
        aux = code, places, self._inputs, self._outputs, self.name
        return (args, opaque), aux

    @classmethod
    def tree_unflatten(cls, aux, children):
        code, places, inputs, outputs, name = aux
        made = cls(None, inputs, outputs, name, ())
        made._apart = code, places, *children
        return made

    @property
    def out_nzs(self) -> Any:
        code = self._whole.code if self._apart is None else self._apart[0]
        reached = iter(type(x) is Var for x in code.outputs)
        return tree_unflatten(
            self._outputs.tree,
            [there and next(reached) for there in self._outputs.moving],
        )

    # --- References -------------------------------------------------------------------

    @entry
    def with_refs(self, *references: Any) -> Callable:
        """The same pullback, which adds cotangents to references.

        Args:
            *references: an entry for each argument, a pytree like it, whose leaves are
                references (`jax.new_ref`) to which the cotangent is added,
                `jax.ad.GradValue()` where it is returned, or `jax.ad.DontWant()` where
                it isn't computed.

        Returns:
            a function of a cotangent.  It returns a tuple of cotangents, with
            `jax.ad.GradRef()` and `jax.ad.DidntWant()` in place of those others.

        Raises:
            ValueError: the entries aren't like the arguments, or a reference is of
                another type than the cotangent.

        Example:

            >>> total = jax.new_ref(jnp.zeros(2))
            >>> _, pull = vjp(lambda x: jnp.sum(x**2), jnp.array([1.0, 2.0]))
            >>> pull.with_refs(total)(1.0)
            (GradRef(),)
            >>> total[...]
            Array([2., 4.], dtype=float32)
        """
        entries, tree = tree_flatten(references)
        if tree != self._inputs.tree:
            raise ValueError(
                f"{self.name}: with_refs takes an entry for each leaf of "
                f"{self._inputs}, but got {tree}; pass a reference, "
                "jax.ad.GradValue() or jax.ad.DontWant()"
            )
        for i, (x, aval) in enumerate(zip(entries, self._inputs.avals, strict=True)):
            self._check_reference(x, leaf_name(enumerate(references), i), aval)
        unwanted = [type(x) is ad.DontWant for x in entries]

        @entry
        def pull(cotangent):
            moved = flatten(self.name, COTANGENT, self._outputs, cotangent)
            moving = self._inputs.moving
            wanted = [not x for x, there in zip(unwanted, moving, strict=True) if there]
            program = needed_for(self._recorded, wanted)
            with wide_enough(self._inputs.avals):
                cts = iter(program.transpose(moved))
                found = []
                for x, aval, there in zip(
                    entries, self._inputs.avals, moving, strict=True
                ):
                    ct = next(cts) if there else None
                    found.append(_given(x, aval, ct))
            return tree_unflatten(tree, found)

        return pull

    def _check_reference(self, x: Any, name: str, aval: Any) -> None:
        if type(x) in (ad.GradValue, ad.DontWant):
            return
        want, got = cotangent_of(aval), None
        if isinstance(x, jax.Array | ref.Ref) and hasattr(typeof(x), "inner_aval"):
            got = typeof(x).inner_aval
        if got is None or (got.shape, got.dtype) != (want.shape, want.dtype):
            raise ValueError(
                f"{self.name}: with_refs has for {name} "
                f"{describe(x) if got is None else 'a reference to ' + short(got)}; "
                f"pass a reference to {short(want)}, jax.ad.GradValue() or "
                "jax.ad.DontWant()"
            )


def _given(x: Any, aval: Any, ct: Any) -> Any:
    """What the pullback returns for an entry of `with_refs`."""
    if type(x) is ad.DontWant:
        return ad.DidntWant()
    if type(x) is ad.GradValue:
        return zero_cotangent(aval) if ct is None else ct
    if ct is not None:
        ref.addupdate(x, ..., ct)
    return ad.GradRef()


def needed_for(program: LinearProgram, wanted: Sequence[bool]) -> LinearProgram:
    """The program without what none of these inputs reaches."""
    if all(wanted):
        return program
    code = program.code
    reach = {v.index for v, there in zip(code.inputs, wanted, strict=True) if there}
    equations = []
    for eqn in code.equations:
        if any(type(x) is Var and x.index in reach for x in eqn.operands):
            equations.append(eqn)
            reach.update(v.index for v in eqn.outputs)
    return LinearProgram(Code(code.inputs, code.outputs, equations), program.residuals)


def with_inputs(program: LinearProgram, there: Sequence[bool], space: Space):
    """The program, whose inputs are the leaves that are `there`, with all that move."""
    code = program.code
    given = iter(code.inputs)
    free = count(1 + max((v.index for v in _variables(code)), default=0))
    inputs = [
        next(given) if known else Var(next(free), aval)
        for known, aval in zip(there, space.moving_avals, strict=True)
    ]
    return LinearProgram(Code(inputs, code.outputs, code.equations), program.residuals)


def _variables(code: Code) -> Iterator[Var]:
    yield from code.inputs
    for eqn in code.equations:
        yield from eqn.outputs


def flags(name: str, what: str, prefix: Any, primals: Any) -> list[bool]:
    """Of each leaf of the primals what a prefix of them, of truth values, says."""
    try:
        found = jax.tree.map(
            lambda flag, part: [flag] * tree_structure(part).num_leaves, prefix, primals
        )
    except ValueError as error:
        raise ValueError(
            f"{name}: {what} isn't a prefix of the arguments' tree: {error}"
        ) from None
    leaves = tree_leaves(found)
    for x in leaves:
        if not isinstance(x, bool):
            raise ValueError(
                f"{name}: {what} has {x!r} of {type(x)}; pass True or False for an "
                "argument, or a part of one"
            )
    return leaves
