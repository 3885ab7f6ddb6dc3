"""Every test that asks for `objects` is run for each case."""

from collections.abc import Sequence

import pytest

from tests.chart.rendering import CASES, Case, Object, render


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


@pytest.fixture
def objects(case: Case) -> Sequence[Object]:
    return render(case)
