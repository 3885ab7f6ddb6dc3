from pathlib import Path

from volwatch.local.postgres import binaries, open_the_way


def test_the_programs_are_found() -> None:
    assert [(binaries() / name).is_file() for name in ("initdb", "postgres")] == [True, True]


def test_the_way_is_opened_for_passage_only(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    inner = closed / "inner"
    inner.mkdir(mode=0o700)
    open_the_way(inner, "nobody")
    assert [oct(folder.stat().st_mode & 0o777) for folder in (closed, inner)] == ["0o701", "0o700"]
