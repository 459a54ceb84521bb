"""What `vjp` returns: a linear map, whose residuals can be read and replaced.

Of the arrays that the backward pass reads some are arguments as they were given, and
the others were computed (`args_res`, `opaque_residuals`).  Where an argument is large
and at hand later, it needn't be kept: see `saveable_args` of `vjp`.  Cotangents may be
added to references, where they are large, too (`with_refs`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import ref
from jax.tree_util import tree_flatten, tree_leaves, tree_structure, tree_unflatten

from jaxkit.border.messages import describe, leaf_name, short
from jaxkit.border.space import COTANGENT, Space, flatten
from jaxkit.border.tracebacks import entry
from jaxkit.maps import LinearMap
from jaxkit.program import Code, LinearProgram, Var
from jaxkit.program.text import format_code
from jaxkit.tangents import zero_cotangent
from jaxkit.tracing import cotangent_of, typeof, wide_enough

ad: Any = vars(jax)["ad"]  # what users call jax.ad: the entries of `with_refs`


@jax.tree_util.register_pytree_node_class
class Absent:
    """Stands in `args_res` for an argument that isn't there: a pytree without leaves.

    `NotNeeded`: the backward pass doesn't read it; `NotSaveable`: it does, and it must
    be put there first.  None in place of a whole argument stands for these.
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


class Apart(NamedTuple):
    """A program whose residuals are set apart, those that are arguments and the others.

    Attributes:
        code: of the program.
        tree: the arguments'.
        places: of each residual which leaf of `args` it is, or None.
        args, opaque: `args_res` and `opaque_residuals` of the pullback.
    """

    code: Code
    tree: Any
    places: tuple[int | None, ...]
    args: list[Any]
    opaque: list[Any]

    @classmethod
    def of(cls, program: LinearProgram, leaves: Sequence[int], tree: Any, keep):
        """Leaves of the arguments are known by their ids; `keep` says which to keep."""
        program = program.prune()
        numbers = {x: i for i, x in enumerate(leaves)}
        places = tuple([numbers.get(id(x)) for x in program.residuals])
        args: list[Any] = [NotNeeded] * len(leaves)
        opaque = []
        for x, i in zip(program.residuals, places, strict=True):
            if i is None:
                opaque.append(x)
            else:
                args[i] = x if keep[i] else NotSaveable
        return cls(program.code, tree, places, list(tree_unflatten(tree, args)), opaque)

    def leaves(self, name: str) -> list[Any]:
        """Those of `args`; of None in place of an argument all are absent."""
        sizes = [part.num_leaves for part in self.tree.children()]
        parts = [
            [NotSaveable] * n if x is None else tree_leaves(x, is_leaf=_is_absent)
            for x, n in zip(self.args, sizes, strict=False)
        ]
        found = list(map(len, parts))
        if len(self.args) != len(sizes) or found != sizes:
            raise ValueError(
                f"{name}: args_res has entries of {found} leaves; pass one for each "
                f"argument, of {sizes}"
            )
        return list(chain(*parts))

    def replaced(self, name: str, args: Any, opaque: Any) -> Apart:
        if len(opaque) != len(self.opaque):
            raise ValueError(
                f"{name}: there are {len(opaque)} opaque_residuals; pass as many as "
                f"there were, {len(self.opaque)}"
            )
        new = self._replace(args=list(args), opaque=list(opaque))
        new.leaves(name)
        return new

    def program(self, name: str) -> LinearProgram:
        leaves, rest = self.leaves(name), iter(self.opaque)
        if lacking := self.lacking(leaves):
            raise ValueError(
                f"{name}: the backward pass reads {lacking}, which wasn't kept, or was "
                "taken away; put the arrays there before it is run"
            )
        found = [next(rest) if i is None else leaves[i] for i in self.places]
        arrays = [x if isinstance(x, jax.Array) else jnp.asarray(x) for x in found]
        for x, v in zip(arrays, self.code.residuals, strict=True):
            shape = v.aval.shape  # behind the axes of several pullbacks, stacked
            if x.dtype != v.aval.dtype or x.shape[x.ndim - len(shape) :] != shape:
                raise ValueError(
                    f"{name}: a residual is {short(typeof(x))}, and the backward pass "
                    f"reads {short(v.aval)}; put one of that type into args_res, or "
                    "opaque_residuals"
                )
        return LinearProgram(self.code, arrays)

    def lacking(self, leaves: Sequence[Any]) -> str:
        """The names of those that are read, and aren't there."""
        lacking = [i for i in self.places if i is not None and _is_absent(leaves[i])]
        if not lacking:
            return ""
        named = [("args_res", tree_unflatten(self.tree, range(len(leaves))))]
        return ", ".join(leaf_name(named, i) for i in lacking)


@jax.tree_util.register_pytree_node_class
class Pullback(LinearMap):
    """The pullback of a function at a point: a `LinearMap` from cotangents.

    Attributes:
        args_res: a list with an entry for each argument, a pytree like it, in which are
            the arrays that the backward pass reads; the others are `NotNeeded`, or
            `NotSaveable`.  The list, or an entry, may be replaced.
        opaque_residuals: a list of the other arrays that it reads.
        out_nzs: a pytree like the output: whether the derivative reaches that leaf.
    """

    def __init__(self, program, inputs: Space, outputs: Space, name: str, leaves):
        super().__init__(program, True, inputs, outputs, name)
        self._leaves = list(map(id, leaves))
        self._apart: Apart | None = None  # where it is there, the program is made of it

    # --- Residuals --------------------------------------------------------------------

    @property
    def _recorded(self) -> LinearProgram:
        return self._whole if self._apart is None else self._apart.program(self.name)

    @_recorded.setter
    def _recorded(self, program):
        self._whole, self._apart = program, None

    def take_apart(self, keep: Sequence[bool] | None = None) -> Apart:
        """Set the residuals apart; of the arguments' leaves keep these (None: all)."""
        if self._apart is None:
            keep = keep or [True] * len(self._leaves)
            tree = self._inputs.tree
            self._apart = Apart.of(self._whole, self._leaves, tree, keep)
            del self._whole
        return self._apart

    @property
    def args_res(self) -> list[Any]:
        return self.take_apart().args

    @args_res.setter
    def args_res(self, args):
        apart = self.take_apart()
        self._apart = apart.replaced(self.name, args, apart.opaque)

    @property
    def opaque_residuals(self) -> list[Any]:
        return self.take_apart().opaque

    @opaque_residuals.setter
    def opaque_residuals(self, arrays):
        apart = self.take_apart()
        self._apart = apart.replaced(self.name, apart.args, arrays)

    @entry
    def replace(
        self, *, args_res: Any = None, opaque_residuals: Any = None
    ) -> Pullback:
        """The same pullback with other residuals; those not given stay.

        Raises ValueError if there are more, or fewer, than there were.
        """
        other = jax.tree.map(lambda x: x, self)
        if args_res is not None:
            other.args_res = args_res
        if opaque_residuals is not None:
            other.opaque_residuals = opaque_residuals
        return other

    def tree_flatten(self) -> Any:
        *static, args, opaque = self.take_apart()
        return (args, opaque), (*static, self._inputs, self._outputs, self.name)

    @classmethod
    def tree_unflatten(cls, aux, children):
        *static, inputs, outputs, name = aux
        made = cls(None, inputs, outputs, name, ())
        made._apart = Apart(*static, *children)
        return made

    def __repr__(self):
        apart = self._apart
        if apart and (lacking := apart.lacking(apart.leaves(self.name))):
            code = format_code(apart.code)
            return f"the transpose, where {lacking} isn't there, of\n{code}"
        return super().__repr__()

    @property
    def out_nzs(self) -> Any:
        code = self._whole.code if self._apart is None else self._apart.code
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
            program = self._recorded.reaching(wanted)
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
                f"{_described(x) if got is None else 'a reference to ' + short(got)}; "
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


def _described(x: Any) -> str:
    is_part = hasattr(x, "transforms")  # r.at[1], of which JAX has no public class
    return "a part of a reference" if is_part else describe(x)


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
