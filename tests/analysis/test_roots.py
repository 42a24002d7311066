"""Zeros of functions, against SciPy's."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq

from analysis.roots import zero_between

SHAPES = {
    "cubic": lambda x, zero: (x - zero) ** 3 + 0.1 * (x - zero),
    "flat": lambda x, zero: math.copysign(abs(x - zero) ** 7, x - zero),
    "steep": lambda x, zero: math.tanh(1e6 * (x - zero)),
    "step": lambda x, zero: 1.0 if x > zero else -1.0,
    "falling": lambda x, zero: 1 / (1 + x) - 1 / (1 + zero),
}


@pytest.mark.parametrize("shape", SHAPES)
@given(
    zero=st.floats(1e-9, 1e9),
    below=st.floats(0, 1),
    above=st.floats(1, 1e6),
    relative=st.sampled_from((1e-9, 1e-14, 8.9e-16)),
)
def test_a_zero_is_scipys_to_the_last_bit(shape, zero, below, above, relative):
    def function(x):
        return SHAPES[shape](x, zero)

    low, high = zero * below, zero * above
    if not function(low) < 0 < function(high) and not function(low) > 0 > function(high):
        return
    found = zero_between(function, low, high, relative=relative)
    assert found == brentq(function, low, high, xtol=1e-300, rtol=relative, maxiter=500)


def test_without_a_change_of_sign_or_without_a_number_it_says_so():
    with pytest.raises(ValueError, match="same sign"):
        zero_between(lambda x: x * x + 1, -1, 1)
    with pytest.raises(ValueError, match="not a number"):
        zero_between(lambda x: x if abs(x) == 1 else math.nan, -1, 1)
