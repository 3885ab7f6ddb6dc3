import json
from pathlib import Path

import numpy as np
import pytest

from tests.unit.research.labelled import write_labels
from volwatch.errors import BadInput
from volwatch.research.labels import read_labels

DAY_MS = 86_400_000
FIRST_MS = int(np.datetime64("2026-01-19", "ms").astype(np.int64))


def test_labels_are_read_from_a_directory_or_from_their_file(tmp_path: Path) -> None:
    folder = write_labels(
        tmp_path / "set",
        [
            ("A", "null_gbm", "", ""),
            ("B", "jump", "2026-01-19T00:01:00Z", "2026-01-19T00:02:00Z"),
            ("B", "jump", "2026-01-20T00:00:00Z", "2026-01-20T00:00:00Z"),
        ],
    )
    for path in (folder, folder / "labels.csv"):
        labels = read_labels(path)
        assert (labels.first_ms, labels.days) == (FIRST_MS, 5)
        assert labels.scenario == {"A": "null_gbm", "B": "jump"}
        assert {symbol: events.tolist() for symbol, events in labels.events.items()} == {
            "A": [],
            "B": [[FIRST_MS + 60_000, FIRST_MS + 120_000], [FIRST_MS + DAY_MS, FIRST_MS + DAY_MS]],
        }


def test_everything_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    folder = write_labels(
        tmp_path,
        [
            ("", "jump", "2026-01-19T00:01:00Z", "2026-01-19T00:01:00Z"),
            ("A", "jump", "2026-01-19T00:02:00Z", "2026-01-19T00:01:00Z"),
            ("A", "flash", "noon", "2026-01-19T00:01:00Z"),
        ],
    )
    (folder / "manifest.json").write_text(json.dumps({"first_eval_day": "tomorrow", "eval_days": 0}))
    with pytest.raises(BadInput) as caught:
        read_labels(folder)
    labels, manifest = folder / "labels.csv", folder / "manifest.json"
    assert caught.value.faults == [
        f"{manifest}: first_eval_day is 'tomorrow', not a date such as 2026-01-19",
        f"{manifest}: eval_days is 0, not a whole number of at least 1",
        f"{labels} row 1 has no symbol",
        f"{labels} row 2 has a symbol of two scenarios",
        f"{labels} row 3 has a start_utc or end_utc that is no ISO time",
        f"{labels} row 2 has an end_utc before its start_utc",
    ]


@pytest.mark.parametrize("text", ["[1]", "{", ""])
def test_a_manifest_that_is_none_is_a_fault(tmp_path: Path, text: str) -> None:
    folder = write_labels(tmp_path, [("A", "null_gbm", "", "")])
    (folder / "manifest.json").write_text(text)
    with pytest.raises(BadInput, match="manifest"):
        read_labels(folder)


def test_labels_need_their_manifest(tmp_path: Path) -> None:
    (write_labels(tmp_path, [("A", "null_gbm", "", "")]) / "manifest.json").unlink()
    with pytest.raises(BadInput, match="labels need their manifest"):
        read_labels(tmp_path)
