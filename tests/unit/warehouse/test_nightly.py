"""The measures as rows of their table; that these are the table's columns is tested on a real server."""

import numpy as np
import pandas as pd

from volwatch.analytics.measures.measure import measure
from volwatch.analytics.state import VERSION
from volwatch.analytics.volatility import DEFINED, ZERO_VARIANCE
from volwatch.warehouse.nightly import SessionRows, measures_frame


def test_each_measure_of_each_session_is_a_row() -> None:
    days, n = np.array([20_000, 20_001]), np.array([63, 63])
    reason = np.array([DEFINED, ZERO_VARIANCE], np.int8)
    sharpe = measure("sharpe_eta", 63, np.array([1.5, 9.0]), reason, n, np.array([0.5, 9.0]))
    model = measure("garch", 1000, np.array([0.2]), reason[:1], n[:1])
    rows = [
        SessionRows(("feed", "A"), "US_DAILY", days, np.array([0, 2]), [sharpe]),
        SessionRows(("feed", "B"), "CRYPTO_DAILY", days[1:], np.array([1]), [model]),
    ]
    frame = measures_frame(rows)
    start = [pd.Timestamp("2024-10-04", tz="UTC"), pd.Timestamp("2024-10-05", tz="UTC")]
    expected = pd.DataFrame(
        {
            "source": "feed",
            "symbol": ["A", "A", "B"],
            "bar_start": [*start, start[1]],
            "bar_seconds": 86_400,
            "estimator": ["sharpe_eta", "sharpe_eta", "garch"],
            "window_bars": [63, 63, 1000],
            "value": [1.5, np.nan, 0.2],
            "null_reason": [None, "ZERO_VARIANCE", None],
            "standard_error": [0.5, np.nan, np.nan],
            "n_obs": 63,
            "annualisation": ["US_DAILY", "US_DAILY", "CRYPTO_DAILY"],
            "model_version": VERSION,
            "final": True,
            "input_revision": [0, 2, 1],
        }
    )
    pd.testing.assert_frame_equal(frame, expected, check_dtype=False)


def test_without_a_session_there_is_no_row() -> None:
    assert measures_frame([]).empty
