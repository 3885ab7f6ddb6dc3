import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from volwatch.errors import Misconfigured, Transient
from volwatch.local.process import Child, Processes, ProcessExit, Program, is_alive, wait_until

ENVIRONMENT = dict(os.environ)
SLEEPER = [sys.executable, "-S", "-c", "import signal; print('here', flush=True); signal.pause()"]
STUBBORN = [
    sys.executable,
    "-S",
    "-c",
    "import signal; signal.signal(15, 1); print('here', flush=True)\nwhile True: signal.pause()",
]
# A program whose child leaves the session, as daemons do.
FORKER = [
    sys.executable,
    "-S",
    "-c",
    "import os, signal\nif not os.fork(): os.setsid(); print(os.getpid(), flush=True)\nwhile True: signal.pause()",
]


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    own = Processes(tmp_path)
    yield own
    own.release()


def here(child: Child) -> bool:
    return child.log.read_text() != ""


def start(processes: Processes, command: list[str], grace_seconds: float = 5) -> Child:
    child = processes.start("child", Program(command, ENVIRONMENT, grace_seconds=grace_seconds))
    wait_until(lambda: here(child), [child], processes, timeout_seconds=10)
    return child


def test_a_child_runs_in_a_session_of_its_own_and_writes_its_log(processes: Processes) -> None:
    child = start(processes, SLEEPER)
    assert os.getsid(child.pid) == child.pid
    assert child.last_lines() == "here"


def test_a_stopped_child_is_no_failure(processes: Processes) -> None:
    child = start(processes, SLEEPER)
    child.stop()
    assert (child.running, processes.failed()) == (False, [])


def test_a_child_that_ended_by_itself_is_told_of_with_its_exit_code_and_log(processes: Processes) -> None:
    child = start(processes, [sys.executable, "-S", "-c", "print('reason'); raise SystemExit(3)"])
    while child.running:
        pass
    assert processes.failed() == [ProcessExit("child", 3, processes.folder / "logs" / "child.log")]
    child.stop()
    assert processes.failed() == [ProcessExit("child", 3, processes.folder / "logs" / "child.log")]


def test_a_child_that_was_killed_is_told_of(processes: Processes) -> None:
    child = start(processes, SLEEPER)
    os.kill(child.pid, signal.SIGKILL)
    while child.running:
        pass
    assert [ended.exit_code for ended in processes.failed()] == [-signal.SIGKILL]


def test_a_child_that_does_not_heed_is_killed(processes: Processes) -> None:
    child = start(processes, STUBBORN, grace_seconds=0.01)
    child.stop()
    assert not child.running


def test_descendants_that_left_the_session_are_stopped_too(processes: Processes) -> None:
    child = start(processes, FORKER)
    grandchild = int(child.last_lines())
    assert os.getsid(grandchild) != child.pid
    child.stop()
    assert not is_alive(grandchild)


def test_a_start_in_place_of_a_dead_child_ends_what_that_one_left(processes: Processes) -> None:
    fork = "import os, signal\nif os.fork(): os._exit(1)\nprint(os.getpid(), flush=True)\nsignal.pause()"
    first = processes.start("child", Program([sys.executable, "-S", "-c", fork], ENVIRONMENT))
    while first.running or not here(first):
        pass
    left = int(first.last_lines())
    assert is_alive(left)
    start(processes, SLEEPER)
    assert not is_alive(left)


def test_a_later_stack_ends_the_children_of_one_that_was_killed(tmp_path: Path) -> None:
    first = Processes(tmp_path)
    child = start(first, SLEEPER)
    record = tmp_path / "run" / "child"
    kept = record.read_text()
    first._lock.close()
    second = Processes(tmp_path)
    assert kept.split()[0] == str(child.pid)
    assert (child.running, record.exists()) == (False, False)
    second.release()


def test_a_stranger_that_got_the_number_of_a_dead_child_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "child").write_text(f"{os.getpid()} 1.0")
    Processes(tmp_path).release()
    assert list((tmp_path / "run").iterdir()) == []


def test_a_folder_in_use_is_refused_and_free_after_release(processes: Processes) -> None:
    with pytest.raises(Misconfigured, match="in use by another"):
        Processes(processes.folder)
    processes.release()
    Processes(processes.folder).release()


def test_nothing_is_started_while_the_stack_is_being_stopped(processes: Processes) -> None:
    processes.close_to_starts()
    with pytest.raises(Transient, match="being stopped"):
        processes.start("child", Program(SLEEPER, ENVIRONMENT))
    with pytest.raises(Transient, match="being stopped"):
        wait_until(lambda: False, [], processes, timeout_seconds=60)


def test_waiting_ends_with_the_log_of_a_child_that_ended(processes: Processes) -> None:
    child = processes.start("child", Program([sys.executable, "-S", "-c", "print('the reason')"], ENVIRONMENT))
    with pytest.raises(Transient, match=r"child ended while it started; .*child.log ends with:\nthe reason"):
        wait_until(lambda: False, [child], processes, timeout_seconds=60)


def test_waiting_ends_when_the_time_is_over(processes: Processes) -> None:
    child = start(processes, SLEEPER)
    with pytest.raises(Transient, match="child did not get ready within 0 s"):
        wait_until(lambda: False, [child], processes, timeout_seconds=0)


def test_a_program_that_fails_shows_the_end_of_its_log(processes: Processes) -> None:
    with pytest.raises(Transient, match=r"tool failed with exit code 4; .*\nno luck"):
        processes.run(
            "tool", Program([sys.executable, "-S", "-c", "print('no luck'); raise SystemExit(4)"], ENVIRONMENT)
        )


def test_a_program_that_succeeds_is_no_failed_child(processes: Processes) -> None:
    processes.run("tool", Program([sys.executable, "-S", "-c", ""], ENVIRONMENT))
    assert processes.failed() == []
