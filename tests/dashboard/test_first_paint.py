"""The benchmark of the first page works: both pages are painted, and a difference is seen."""

import pytest

from tests.benchmarks import first_paint
from tests.benchmarks.first_paint import Painted
from tests.benchmarks.measure import Unequal
from tests.benchmarks.warehouse_market import fill
from tests.dashboard.conftest import Warehouse
from volwatch.local.postgres import Postgres
from volwatch.warehouse.provision import OWNER


@pytest.mark.browser
def test_both_first_pages_are_painted(
    warehouse: Warehouse, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(postgres.settings(OWNER, warehouse.settings.database), lambda _line: None, symbols=30, bars=30, sessions=2)
    monkeypatch.setattr(first_paint, "ROUNDS", 1)
    monkeypatch.setattr(first_paint, "PEER_ROUNDS", 1)
    told: list[str] = []
    measured = first_paint.run(warehouse.settings, told.append)
    assert measured.name == "dashboard_first_paint_ms"
    assert measured.ratio == measured.peer / measured.ours
    assert 0 < measured.ours < first_paint.PATIENCE_MS
    assert len(told) == 1


def test_tables_of_other_lengths_give_no_ratio() -> None:
    first_paint.check([Painted(900.0, 501)], [Painted(2_000.0, 501)])
    with pytest.raises(Unequal):
        first_paint.check([Painted(900.0, 501)], [Painted(2_000.0, 501), Painted(2_000.0, 500)])
