import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ive

from dssl.model.bessel import bessel_ratio, log_bessel

SIZES = [2, 3, 4, 5, 10, 64, 100, 101, 513, 2000]
KAPPAS = [1e-3, 0.1, 1.0, 11.0, 50.0, 100.0, 1000.0, 1e4, 1e5]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kappa", KAPPAS)
def test_agrees_with_scipy_where_scipy_is_finite(size: int, kappa: float) -> None:
    numerator, denominator = ive(size / 2, kappa), ive(size / 2 - 1, kappa)
    if numerator > 1e-290:
        assert bessel_ratio(size, kappa) == pytest.approx(numerator / denominator, rel=1e-11)
        assert log_bessel(size, kappa) == pytest.approx(math.log(denominator) + kappa, rel=1e-11, abs=1e-11)
    # Amos' bounds hold everywhere, also where scipy underflows
    order = size / 2 - 1
    lower = kappa / (order + 0.5 + math.sqrt((order + 1.5) ** 2 + kappa**2))
    upper = kappa / (order + 0.5 + math.sqrt((order + 0.5) ** 2 + kappa**2))
    assert lower * (1 - 1e-12) <= bessel_ratio(size, kappa) <= upper * (1 + 1e-12)


def test_underflowing_order_agrees_with_the_series() -> None:
    # I_v(x) = (x/2)^v / v! (1 + (x/2)^2 / (v+1) + ...), v = 999, x = 1
    expected = 999 * math.log(0.5) - math.lgamma(1000) + math.log1p(0.25 / 1000)
    assert log_bessel(2000, 1.0) == pytest.approx(expected, rel=1e-9)


@given(st.floats(1e-3, 1e5))
def test_three_dimensions_have_a_closed_form(kappa: float) -> None:
    # coth(k) - 1/k loses all digits where k is small: there its series
    expected = 1 / math.tanh(kappa) - 1 / kappa if kappa > 0.02 else kappa / 3 - kappa**3 / 45 + 2 * kappa**5 / 945
    assert bessel_ratio(3, kappa) == pytest.approx(expected, rel=1e-10)
