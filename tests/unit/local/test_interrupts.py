import os
import signal

import pytest

from volwatch.local.interrupts import interruptible, uninterrupted


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_interrupts_and_later_ones_do_not(signum: signal.Signals) -> None:
    stopped = []

    def work() -> None:
        try:
            os.kill(os.getpid(), signum)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGINT)
            stopped.append("stopped")

    with pytest.raises(KeyboardInterrupt), interruptible():
        work()
    assert stopped == ["stopped"]


def test_what_must_not_be_cut_short_is_not() -> None:
    with interruptible():
        with uninterrupted():
            os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)


def test_the_handlers_are_as_before_afterwards() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with interruptible(), uninterrupted():
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before
