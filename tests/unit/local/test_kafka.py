"""What Kafka's own programs are told."""

import uuid
from pathlib import Path

from volwatch.local.kafka import format_arguments


def test_a_cluster_id_that_begins_with_a_dash_is_no_option() -> None:
    assert format_arguments(Path("server.properties"), uuid.UUID(int=0xF8 << 120)) == [
        "--config",
        "server.properties",
        "--cluster-id=-AAAAAAAAAAAAAAAAAAAAA",
    ]
