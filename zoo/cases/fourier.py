"""Cases of `jaxkit.rules.fourier`."""

from __future__ import annotations

from jax import lax
from jax.extend.core import primitives as p

from zoo.case import COMPLEX, REAL, Case
from zoo.samplers import sampler, uniform

FFT, IFFT, RFFT, IRFFT = (
    getattr(lax.FftType, name) for name in ("FFT", "IFFT", "RFFT", "IRFFT")
)

CASES = [
    Case(
        p.fft_p,
        f"{kind.name.lower()}, {name}",
        lambda x, kind=kind, lengths=lengths: lax.fft(x, kind, lengths),
        sampler(uniform(*shape)),
        REAL if kind == RFFT else COMPLEX,
        tolerance=4,
    )
    for kind, name, lengths, shape in [
        *(
            (kind, name, lengths, shape)
            for kind in (FFT, IFFT, RFFT)
            for name, lengths, shape in [
                ("even", (6,), (2, 6)),
                ("odd", (5,), (5,)),
                ("two axes", (3, 4), (2, 3, 4)),
                ("three axes", (2, 3, 5), (2, 3, 5)),
                ("of one", (1,), (2, 1)),
            ]
        ),
        (IRFFT, "even", (6,), (2, 4)),
        (IRFFT, "odd", (5,), (3,)),
        (IRFFT, "two axes", (3, 4), (2, 3, 3)),
        (IRFFT, "three axes", (2, 3, 5), (2, 3, 3)),
        (IRFFT, "of one", (1,), (2, 1)),
    ]
]
CASES += [
    Case(
        p.fft_p,
        "power spectrum",
        lambda x: lax.real(lax.fft(x, RFFT, (6,))) ** 2,
        sampler(uniform(6)),
        tolerance=4,
    ),
    Case(
        p.fft_p,
        "convolution by Fourier transforms",
        lambda x, y: lax.fft(
            lax.fft(x, RFFT, (5,)) * lax.fft(y, RFFT, (5,)), IRFFT, (5,)
        ),
        sampler(uniform(5), uniform(5)),
        tolerance=4,
    ),
]
