import argparse

import pytest

from volwatch.consumer import main
from volwatch.errors import Misconfigured


def test_help_names_every_variable_and_what_it_is_by_default() -> None:
    parser = argparse.ArgumentParser(prog="volwatch consumer")
    main.add_arguments(parser)
    told = parser.format_help()
    assert "VOLWATCH_KAFKA_BOOTSTRAP\n      bootstrap servers, host:port[,host:port]; required\n" in told
    assert "VOLWATCH_CONSUMER_FLUSH_ROWS\n      rows of one partition that make an object; default 50000\n" in told


def test_all_missing_settings_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KAFKA_BOOTSTRAP", "RAWZONE_ENDPOINT", "RAWZONE_ACCESS_KEY", "RAWZONE_SECRET_KEY"):
        monkeypatch.delenv(f"VOLWATCH_{name}", raising=False)
    with pytest.raises(Misconfigured) as caught:
        main.run(argparse.Namespace())
    assert caught.value.faults == [
        "VOLWATCH_KAFKA_BOOTSTRAP is not set",
        "VOLWATCH_RAWZONE_ENDPOINT is not set",
        "VOLWATCH_RAWZONE_ACCESS_KEY is not set",
        "VOLWATCH_RAWZONE_SECRET_KEY is not set",
    ]
