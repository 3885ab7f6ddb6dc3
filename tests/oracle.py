"""The independent values in ``tests/data``, and what this project calls what they measure."""

from pathlib import Path

DATA = Path(__file__).parent / "data"

# Estimator -> column of mpvol_msft_daily_n20_N252.csv.
VOLATILITY_COLUMNS = {
    "cc": "close_nret",
    "cc0": "rms_nret",
    "parkinson": "parkinson",
    "garman-klass": "garman_klass",
    "rogers-satchell": "rogers_satchell",
    "gk-yang-zhang": "gk_yz",
    "yang-zhang": "yang_zhang",
}
