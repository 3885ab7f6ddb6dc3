from pathlib import Path

import pytest

from volwatch.errors import Misconfigured
from volwatch.settings import WarehouseSettings
from volwatch.warehouse import schema

NOWHERE = WarehouseSettings(host="nowhere.invalid", user="volwatch_pipeline")


def test_the_migrations_of_the_checkout_are_found() -> None:
    assert (schema.default_folder() / "0001_schema.sql").is_file()


def test_a_program_without_migrations_waits_for_nothing(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"there is no \.sql file in"):
        schema.check(NOWHERE, "test", tmp_path)
