from pathlib import Path

import pytest
from pydantic import SecretStr

from volwatch.errors import Misconfigured
from volwatch.settings import WarehouseSettings
from volwatch.warehouse.migrations import default_folder, migrate

NOWHERE = WarehouseSettings(host="nowhere.invalid", user="owner", password=SecretStr("secret"))


def test_the_migrations_of_the_checkout_are_found() -> None:
    assert (default_folder() / "0001_schema.sql").is_file()


@pytest.mark.parametrize("folder", ["empty", "missing"])
def test_a_folder_without_migrations_is_a_fault_of_the_configuration(tmp_path: Path, folder: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(Misconfigured, match=f"there is no .sql file in .*{folder}"):
        migrate(NOWHERE, tmp_path / folder)
