from pathlib import Path

import pytest
from pydantic import SecretStr

from volwatch.errors import Misconfigured
from volwatch.settings import WarehouseSettings
from volwatch.warehouse.migrations import migrate

NOWHERE = WarehouseSettings(host="nowhere.invalid", user="owner", password=SecretStr("secret"))


@pytest.mark.parametrize("folder", ["empty", "missing"])
def test_a_folder_without_migrations_is_a_fault_of_the_configuration(tmp_path: Path, folder: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(Misconfigured, match=f"there is no .sql file in .*{folder}"):
        migrate(NOWHERE, tmp_path / folder)
