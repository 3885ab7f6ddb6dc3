"""A chart begins where its predecessor was zoomed to, and only there."""

import plotly.graph_objects as go

from dashboard.zoom import Zooms, begin_at

SHOWN = ("2026-01-05", "2026-01-06 12:30:00.5")
ZOOMS = {"price AAPL/6 h": {"xaxis": list(SHOWN)}}


def chart(revision: str) -> go.Figure:
    return go.Figure(go.Scatter(x=["2026-01-01", "2026-02-01"], y=[1, 2])).update_layout(uirevision=revision)


def test_a_chart_of_the_same_key_and_revision_begins_at_the_zoom() -> None:
    figure = begin_at(chart("AAPL/6 h"), "price", ZOOMS)
    assert figure.layout.xaxis.range == SHOWN
    assert figure.layout.yaxis.range is None
    assert figure.layout.meta == {"zoom": "price AAPL/6 h"}


def test_another_range_or_another_chart_begins_at_the_whole() -> None:
    assert begin_at(chart("AAPL/1 h"), "price", ZOOMS).layout.xaxis.range is None
    assert begin_at(chart("AAPL/6 h"), "returns", ZOOMS).layout.xaxis.range is None


def test_an_axis_that_the_chart_has_no_more_is_passed_over() -> None:
    zooms: Zooms = {"price AAPL/6 h": {"xaxis": SHOWN, "yaxis3": (0, 1), "nonsense": (0, 1)}}
    assert begin_at(chart("AAPL/6 h"), "price", zooms).layout.xaxis.range == SHOWN
