"""``volwatch local fetch``: the cache holds what the embedded stack needs when it returns."""

import argparse

from rich.console import Console

from volwatch.local import fetch
from volwatch.settings import LocalSettings, load_one


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the action's options: it has none."""


def run(_args: argparse.Namespace) -> int:
    """Fill the cache and say where it is."""
    console = Console()
    cache = load_one(LocalSettings).cache
    with console.status("fetching Kafka's jars and building MinIO, which takes minutes the first time"):
        folders = fetch.fetch(cache, [fetch.minio(), fetch.kafka()], lambda line: console.print(line, highlight=False))
    for folder in folders:
        console.print(str(folder), highlight=False, soft_wrap=True)
    return 0
