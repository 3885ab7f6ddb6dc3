"""The first page as one writes it first, as a Streamlit script: ask for the newest rows, show them.

With ``?alone`` it asks nothing and shows a table of the same size: what Streamlit and the browser take by themselves.
"""

from contextlib import closing
from datetime import UTC, datetime

import pandas as pd
import streamlit as st

from tests.benchmarks.dashboard import newest_rows
from tests.benchmarks.warehouse_market import SYMBOLS
from volwatch.settings import WarehouseSettings, load_one
from volwatch.warehouse.connection import connect


def main() -> None:
    """Draw the page."""
    st.set_page_config(layout="wide")
    st.title("Symbols")
    if "alone" in st.query_params:
        rows = pd.DataFrame({"symbol": [f"S{number:03}" for number in range(1, SYMBOLS + 1)]})
        rows = rows.assign(close=100.0, cc=0.2, ewma=0.3, statistic=1.5)
    else:
        with closing(connect(load_one(WarehouseSettings), application_name="volwatch-bench")) as connection:
            rows = newest_rows(connection)
    st.badge(f"As of {datetime.now(UTC):%H:%M:%S}")
    st.dataframe(rows, hide_index=True)


main()
