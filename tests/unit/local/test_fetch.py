import sys
import threading
from pathlib import Path

import pytest

from volwatch.errors import Misconfigured, Transient
from volwatch.local import fetch
from volwatch.local.fetch import Artefact

FILL = "import os, pathlib; pathlib.Path(os.environ['TARGET'], 'file').write_text('content')"
FAIL = "print('the reason'); raise SystemExit(3)"


def artefact(program: str, name: str = "thing-1", tools: tuple[str, ...] = ()) -> Artefact:
    return Artefact(name, tools, lambda _folder: [sys.executable, "-c", program], "TARGET")


def test_a_missing_artefact_is_made_and_its_folder_returned(tmp_path: Path) -> None:
    cache = tmp_path / "with space" / "cache"
    assert fetch.fetch(cache, [artefact(FILL)]) == [cache / "thing-1"]
    assert [(file.name, file.read_text()) for file in (cache / "thing-1").iterdir()] == [("file", "content")]


def test_what_is_in_the_cache_is_not_made_again(tmp_path: Path) -> None:
    (tmp_path / "thing-1").mkdir()
    assert fetch.fetch(tmp_path, [artefact(FAIL, tools=("no-such-program",))]) == [tmp_path / "thing-1"]


def test_a_failure_shows_its_output_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(Transient, match="thing-1 cannot be fetched:\nthe reason"):
        fetch.fetch(tmp_path, [artefact(FAIL)])
    assert list(tmp_path.iterdir()) == []


def test_one_failure_ends_what_is_still_under_way(tmp_path: Path) -> None:
    endless = "import signal, pathlib, os; pathlib.Path(os.environ['TARGET'], 'began').touch(); signal.pause()"
    with pytest.raises(Transient, match="quick"):
        fetch.fetch(tmp_path, [artefact(FAIL, "quick-1"), artefact(endless, "endless-1")])
    assert list(tmp_path.iterdir()) == []


def test_missing_tools_of_all_artefacts_are_named_before_anything_is_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Misconfigured) as raised:
        fetch.fetch(tmp_path, [fetch.minio(), fetch.kafka()])
    assert [fault.split()[0] for fault in raised.value.faults] == ["go", "java", "mvn"]
    assert list(tmp_path.iterdir()) == []


def test_two_at_once_make_one_folder(tmp_path: Path) -> None:
    both = [threading.Thread(target=fetch.fetch, args=(tmp_path, [artefact(FILL)])) for _turn in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert [path.name for path in tmp_path.iterdir()] == ["thing-1"]


def test_the_version_of_kafka_is_the_one_that_maven_is_told() -> None:
    assert fetch.kafka().name == "kafka-4.3.1"
    assert fetch.POM.read_text().count("4.3.1") == 1


def test_nothing_is_started_once_all_was_ended(tmp_path: Path) -> None:
    commands = fetch._Commands()
    commands.end()
    with pytest.raises(Transient, match="ended"):
        commands.run([sys.executable, "-c", FILL], None, tmp_path)
    assert list(tmp_path.iterdir()) == []
