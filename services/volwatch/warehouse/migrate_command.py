"""``volwatch migrate``: the schema of the database that VOLWATCH_WAREHOUSE_* names is up to date when it returns."""

import argparse
import sys
from pathlib import Path

from volwatch.settings import WarehouseSettings, load_one
from volwatch.warehouse.migrations import migrate
from volwatch.warehouse.schema import default_folder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("folder", nargs="?", type=Path, default=default_folder(), help="its .sql files (%(default)s)")


def run(args: argparse.Namespace) -> int:
    """Apply what is not applied yet and name it."""
    applied = migrate(load_one(WarehouseSettings), args.folder)
    sys.stdout.writelines(f"applied {name}\n" for name in applied)
    if not applied:
        sys.stdout.write("the schema is up to date\n")
    return 0
