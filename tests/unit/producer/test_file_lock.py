from pathlib import Path

import pytest

from volwatch.errors import Misconfigured
from volwatch.producer.file_lock import FileLock
from volwatch.producer.lease import Record

SECONDS = 1.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lock"


def held_by(path: Path, holder: str) -> FileLock:
    lock = FileLock(path)
    assert lock.try_take(lock.read(SECONDS), holder, SECONDS) == Record(holder, holder)
    return lock


def test_a_file_that_is_not_there_is_a_free_lease(path: Path) -> None:
    assert FileLock(path).read(SECONDS) == Record("", "")


def test_a_lock_is_seen_with_its_holders_name_and_cannot_be_taken(path: Path) -> None:
    first, second = held_by(path, "a"), FileLock(path)
    seen = second.read(SECONDS)
    assert (seen, second.try_take(seen, "b", SECONDS)) == (Record("a", "a"), None)
    assert (first.renew(seen, SECONDS), path.read_text()) == (seen, "a")


def test_the_lock_of_a_process_that_ended_is_free_and_shows_whose_it_was(path: Path) -> None:
    path.write_text("a process that is gone")
    lock = FileLock(path)
    seen = lock.read(SECONDS)
    assert seen == Record("a process that is gone", "a process that is gone", abandoned=True)
    assert lock.try_take(seen, "b", SECONDS) == Record("b", "b")
    assert FileLock(path).read(SECONDS) == Record("b", "b")


def test_a_lock_given_back_leaves_nothing(path: Path) -> None:
    lock = held_by(path, "a")
    lock.release(Record("a", "a"), SECONDS)
    assert (path.exists(), FileLock(path).read(SECONDS)) == (False, Record("", ""))
    held_by(path, "b")


def test_who_was_faster_is_not_overwritten(path: Path) -> None:
    lock = FileLock(path)
    seen = lock.read(SECONDS)
    held_by(path, "a")._close()  # taken and left since it was looked at
    assert (lock.try_take(seen, "b", SECONDS), path.read_text()) == (None, "a")


def test_a_lock_on_a_file_that_was_removed_is_no_lock(path: Path) -> None:
    first = held_by(path, "a")
    path.unlink()
    assert first.renew(Record("a", "a"), SECONDS) is None
    second = held_by(path, "b")
    first.release(Record("a", "a"), SECONDS)
    assert (path.read_text(), second.renew(Record("b", "b"), SECONDS)) == ("b", Record("b", "b"))


def test_a_holder_may_take_its_lock_again(path: Path) -> None:
    lock = held_by(path, "a")
    assert lock.try_take(lock.read(SECONDS), "a", SECONDS) == Record("a", "a")
    assert FileLock(path).read(SECONDS) == Record("a", "a")


def test_a_name_that_is_not_written_yet_is_of_another_process(path: Path) -> None:
    held_by(path, "")
    assert FileLock(path).read(SECONDS) == Record("another process", "")


def test_it_cannot_be_taken_from_a_process_that_lives(path: Path) -> None:
    assert FileLock(path).lasts


def test_a_folder_that_is_not_there_and_a_link_are_faults_of_the_configuration(tmp_path: Path) -> None:
    missing = FileLock(tmp_path / "missing" / "lock")
    with pytest.raises(Misconfigured, match=r"VOLWATCH_LEASE_FILE: there is no folder .*missing"):
        missing.try_take(missing.read(SECONDS), "a", SECONDS)
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Misconfigured, match=r"VOLWATCH_LEASE_FILE: .*link"):
        FileLock(tmp_path / "link").read(SECONDS)
