import pandas as pd

from dashboard.figures_measure import trade_off_figure


def test_each_level_with_both_numbers_is_a_point_with_its_name() -> None:
    rows = [(3.3, 0.75, 0.5), (3.8, None, 0.25), (4.5, 0.5, 0.0)]
    levels = pd.DataFrame(rows, columns=["level", "recall", "false_per_symbol_day"])
    [points] = trade_off_figure(levels, "r").data
    assert list(points.text) == ["S 3.3", "S 4.5"]
    assert list(zip(points.x, points.y, strict=True)) == [(0.5, 75.0), (0.0, 50.0)]


def test_without_an_event_there_is_no_point() -> None:
    levels = pd.DataFrame({"level": [3.8], "recall": [float("nan")], "false_per_symbol_day": [0.1]})
    assert list(trade_off_figure(levels, "r").data[0].x) == []
