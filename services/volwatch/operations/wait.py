"""``volwatch wait``: returns when servers can be used.

Many pods begin with it: it imports what the servers that are named need, and no more.
"""

import argparse
import signal
import sys
import time
from collections.abc import Callable, Mapping
from itertools import repeat
from typing import Any, NoReturn

from pydantic_settings import BaseSettings

from volwatch.errors import Transient
from volwatch.operations.patience import Patience, add_option
from volwatch.settings import KafkaSettings, RawzoneSettings, WarehouseSettings, describe, load

APPLICATION_NAME = "volwatch-wait"
PATIENCE_SECONDS = 600.0
PERIOD_SECONDS = 2.0

_DESCRIPTION = """\
Returns as soon as every server that is named can be used with the settings of the environment.

  kafka      both topics exist
  rawzone    the bucket exists and these keys may list it
  warehouse  this role can connect, and every migration of this program is applied; there may be more
"""
_EPILOG = """\
example:
  VOLWATCH_KAFKA_BOOTSTRAP=localhost:9092 VOLWATCH_RAWZONE_ENDPOINT=localhost:9000 \\
  VOLWATCH_RAWZONE_ACCESS_KEY=… VOLWATCH_RAWZONE_SECRET_KEY=… volwatch wait kafka rawzone

exit code: 0 when all can be used, 1 when patience ended before, 2 when the configuration is wrong

environment, of the servers that are named:
"""

Check = Callable[[], None]
"""Returns when a server can be used, raises ``Transient`` when it cannot."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = _DESCRIPTION
    parser.epilog = _EPILOG + describe(KafkaSettings, RawzoneSettings, WarehouseSettings)
    parser.add_argument(
        "servers", nargs="+", choices=sorted(_SERVERS), metavar="SERVER", help="kafka, rawzone, warehouse"
    )
    add_option(parser, PATIENCE_SECONDS)


def run(args: argparse.Namespace) -> int:
    """Wait; return 0, or 1 when a server cannot be used in time."""
    # The first process of a container ignores a signal that it has no handler for.
    signal.signal(signal.SIGTERM, _end)
    names = list(dict.fromkeys(args.servers))
    groups = load(*(_SERVERS[name][0] for name in names))
    checks = {name: _check(name, settings) for name, settings in zip(names, groups, strict=True)}
    return wait(checks, Patience(args.patience, time.monotonic, time.sleep), _tell)


def wait(checks: Mapping[str, Check], patience: Patience, tell: Callable[[str], object]) -> int:
    """Make the checks until each has succeeded once; return the exit code. A reason is told when it is news."""
    reasons = dict.fromkeys(checks, "")

    def look() -> None:
        for name in list(reasons):
            try:
                checks[name]()
            except Transient as error:
                if reasons[name] != str(error):
                    tell(f"{name} is not ready: {error}")
                reasons[name] = str(error)
            else:
                tell(f"{name} is ready after {patience.spent_seconds:.1f} s")
                del reasons[name]
        if reasons:
            raise Transient(", ".join(reasons))

    try:
        patience.retry(look, repeat(PERIOD_SECONDS))
    except Transient:
        for name, reason in reasons.items():
            tell(f"gave up on {name} after {patience.spent_seconds:.0f} s: {reason}")
        return 1
    return 0


def _check(name: str, settings: BaseSettings) -> Check:
    return lambda: _SERVERS[name][1](settings)


def _check_kafka(settings: KafkaSettings) -> None:
    from volwatch.topics import check_topics

    check_topics(settings)


def _check_rawzone(settings: RawzoneSettings) -> None:
    from volwatch.rawzone.store import Rawzone

    Rawzone.connect(settings).check()


def _check_warehouse(settings: WarehouseSettings) -> None:
    from volwatch.warehouse import schema

    schema.check(settings, APPLICATION_NAME)


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _end(_signum: int, _frame: object) -> NoReturn:
    sys.exit(1)


_SERVERS: dict[str, tuple[type[BaseSettings], Callable[[Any], None]]] = {
    "kafka": (KafkaSettings, _check_kafka),
    "rawzone": (RawzoneSettings, _check_rawzone),
    "warehouse": (WarehouseSettings, _check_warehouse),
}
