"""The discrete Fourier transform, of its four kinds.

With cotangents transposed and not conjugated (as in JAX), the transform of complex
numbers is its own transpose, since its matrix e^(-2 pi i j k / n) is symmetric.

The one of real numbers keeps the first half of the spectrum of its last axis; its
inverse doubles what stands for two frequencies, k and n - k.  With weights w_k of 2 for
those and of 1 for the others, and N the number of points,

    irfft(Y)  = Re(sum over k of w_k Y_k e^(2 pi i j k / n)) / N
    rfft'(Z)  = Re(sum over k of Z_k e^(-2 pi i j k / n)) = N irfft(conj(Z) / w)
    irfft'(z) = w conj(rfft(z)) / N
"""

from __future__ import annotations

import math

import numpy as np
from jax import lax
from jax.extend.core import primitives as p

from jaxkit.rules.verbs import linear


def _conj_weighted(spectrum, fft_lengths, power):
    """The conjugate of a half spectrum, times (w / N)^power."""
    points = math.prod(fft_lengths)
    k = np.arange(spectrum.shape[-1])
    alone = (k == 0) | (2 * k == fft_lengths[-1])
    factor = (np.where(alone, 1, 2) / points) ** power
    factor = lax.broadcast_in_dim(
        factor.astype(spectrum.dtype), spectrum.shape, (spectrum.ndim - 1,)
    )
    return lax.mul(lax.conj(spectrum), factor)


def _transpose(ct, x, *, fft_type, fft_lengths):
    if fft_type == lax.FftType.RFFT:
        ct = _conj_weighted(ct, fft_lengths, -1)
        return p.fft_p.bind(ct, fft_type=lax.FftType.IRFFT, fft_lengths=fft_lengths)
    if fft_type == lax.FftType.IRFFT:
        ct = p.fft_p.bind(ct, fft_type=lax.FftType.RFFT, fft_lengths=fft_lengths)
        return _conj_weighted(ct, fft_lengths, 1)
    return p.fft_p.bind(ct, fft_type=fft_type, fft_lengths=fft_lengths)


linear(p.fft_p, _transpose)
