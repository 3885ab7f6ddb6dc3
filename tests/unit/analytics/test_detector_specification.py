"""The detector against its specification, spelt out bar by bar for one series in plain floats."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.analytics.made import judge, noise, one_bar
from volwatch.analytics.detector import new_state

ENTER = 3.7


@dataclass
class Naive:
    """The specification (quant.md section 4.1), one series, plain floats."""

    b: float = 0.0
    sigma: float = 0.5
    n: int = 0
    E: float = 0.0

    def see(self, y: float, begins: bool, reopen: bool) -> tuple[float, float] | None:
        """Return S and z; None in warm-up."""
        if self.n == 0:
            self.b = y
        z = (y - self.b) / self.sigma
        warm_up = self.n < 60
        before = 0.0 if begins else self.E
        if warm_up:
            self.E = 0.0
        else:
            self.E = before if reopen else 0.6 * before + 0.4 * min(max(z, -3.0), 8.0)
        answer = None if warm_up else ((z, z) if reopen else (max(2.0 * self.E, z), z))
        if not reopen:
            self._learn(z)
        return answer

    def _learn(self, z: float) -> None:
        clipped = min(max(z, -3.0), 3.0)
        if self.n:
            self.b += max(1 - 2 ** (-1 / 60), 1 / (self.n + 1)) * clipped * self.sigma
            gain = max(1 - 2 ** (-1 / 390), 1 / (self.n + 20))
            self.sigma += gain * (1.2533 * 1.01 * abs(clipped) * self.sigma - self.sigma)
            self.sigma = max(0.30, self.sigma)
        self.n += 1


@settings(max_examples=12)
@given(seed=st.integers(0, 2**16), scale=st.sampled_from([0.05, 0.3, 1.5]), first_is_reopen=st.booleans())
def test_statistic_equals_the_specification_bar_by_bar(seed: int, scale: float, first_is_reopen: bool) -> None:
    random = np.random.Generator(np.random.PCG64(seed))
    ranges, usual = noise(seed, 130, scale), random.normal(0, 0.3, 130)
    begins, reopen = random.random(130) < 0.03, random.random(130) < 0.05
    reopen[0] = first_is_reopen
    naive, state = Naive(), new_state(1)
    for index in range(130):
        seen = one_bar(ranges[index], usual=usual[index], begins=bool(begins[index]), reopen=bool(reopen[index]))
        state, verdict = judge(state, seen, ENTER)
        expected = naive.see(ranges[index] - usual[index], bool(begins[index]), bool(reopen[index]))
        if expected is None:
            assert np.isnan([verdict.statistic[0], verdict.z[0]]).all()
        else:
            assert (verdict.statistic[0], verdict.z[0]) == pytest.approx(expected, rel=1e-9, abs=1e-9)
        assert state.bars[0] == naive.n
        if naive.n:
            assert (state.baseline[0], state.scale[0]) == pytest.approx((naive.b, naive.sigma), rel=1e-12)
