"""Errors, named for what the caller does about them. Anything else crashes the process; its supervisor restarts it."""


class VolwatchError(Exception):
    """Base of the errors this package raises on purpose."""


class BadTrade(VolwatchError):
    """A record is not a valid trade: count it, set it aside with its reason, go on.

    Attributes
    ----------
    reason : str
        A code from a closed set (``MALFORMED``, ``BAD_PRICE``, …), fit for a metric label.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class BadObject(VolwatchError):
    """An object of the raw zone cannot be read as trades: count it, set it aside with its reason, go on.

    Attributes
    ----------
    reason : str
        A code from a closed set (``BAD_GZIP``, ``BAD_ROWS``, …), fit for a metric label.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class Transient(VolwatchError):
    """A server did not do its part just now: retry within bounds, then crash."""


class Misconfigured(VolwatchError):
    """Settings or arguments are wrong. All faults are listed at once; the process ends with exit code 2."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


class BadInput(VolwatchError):
    """A file or an argument that a tool was given is not what it must be: the tool writes nothing, exit code 2.

    Attributes
    ----------
    faults : list of str
        Everything that is wrong, each fit to be read by who gave the file.
    """

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults
