"""Why some of JAX's differentiable primitives have no rule in the table."""

# Not in the table, since the tracer itself sees to them: where, and how.
BUILT_IN = {
    "closed_call": (
        "tracing/traces.py",
        "it is run; JAX 0.10 makes it of a scan",
    ),
    "stage": ("tracing/traces.py", "a value of the trace stays what it is"),
    **dict.fromkeys(
        "new_ref empty_ref get swap addupdate freeze free_ref".split(),
        ("control/references.py", "a reference is a box of the trace's"),
    ),
}

_REASONS = {
    "JAX's private hijax types (boxes and logs that hold any pytree). No public "
    "function makes one.": "box_get box_set log_extend log_read new_box new_log",
    "Made by JAX in linearizing one of its composite primitives.": (
        "call_hi_primitive_linearized"
    ),
    "Left over from earlier ways of calling functions; no public function makes one "
    "(`jit` makes a `jit`).": "call",
    "Inside JAX, for an order between two values; no public function makes one.": "tie",
    "A private experiment of JAX 0.11 on the order of effects, gone in 0.12.": (
        "program_order"
    ),
    "XLA can't run it on CPU, so that no rule could be checked. Use `all_to_all`, with "
    "shards padded to one size.": "ragged_all_to_all",
    "Inside JAX 0.12, on layouts of explicit meshes; no public function makes one.": (
        "relayout"
    ),
    "Metadata for XLA around a call, from `jax.experimental`.": (
        "xla_metadata_call xla_metadata_value"
    ),
}

REASONS: dict[str, str] = {
    name: reason for reason, names in _REASONS.items() for name in names.split()
}

# Rules that no case can show at work on CPU, with the first version of JAX.
NOTES = {
    "eval_jaxpr": "What composite primitives hold from JAX 0.12 on, and not before.",
    "from_edtype": "As `to_edtype`.",
    "to_edtype": "It makes an extended dtype, which some package defines; a test does.",
    "custom_lin": "Only JAX's own transforms make it; a test uses these.",
    "RematTraced": "`jax.checkpoint` under the switch `jax_remat3`; a test sets that.",
    "pbroadcast": "It runs on GPUs alone; a test checks its transpose by tracing.",
    "pbroadcast_dynamic": "As `pbroadcast`, from JAX 0.12 on.",
}
