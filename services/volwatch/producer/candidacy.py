"""How a producer comes by its turn: which lease it is a candidate for, and under which name."""

import hashlib
import os
import random
import secrets
import socket
import tempfile
import time
from pathlib import Path

from volwatch import metrics
from volwatch.errors import Misconfigured
from volwatch.producer.file_lock import FileLock
from volwatch.producer.leadership import Leadership, Turn, Unopposed, boot_clock
from volwatch.producer.lease import Election, Lease
from volwatch.settings import KafkaSettings, LeaseSettings

_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")  # where Kubernetes mounts it in every pod that has one


def turn(source: str, settings: LeaseSettings, kafka: KafkaSettings, account: Path = _ACCOUNT) -> Turn:
    """Return the turn of a producer of a source.

    Raises
    ------
    Misconfigured
        The lease of the settings cannot be had here.
    """
    if source == "replay":  # its source has a name of its own: it stands in nobody's way
        return Unopposed()
    lease = _lease(settings, kafka, account)
    if lease is None:
        metrics.producer_leader.set(1)
        return Unopposed()
    election = Election(lease, _holder(settings), settings.duration_seconds, boot_clock, random.random)
    return Leadership(election, settings.duration_seconds)


def default_file(settings: LeaseSettings, kafka: KafkaSettings) -> Path:
    """Return the file of a topic: producers of different topics do not stand in each other's way."""
    digest = hashlib.sha256(f"{kafka.bootstrap} {kafka.topic}".encode()).hexdigest()
    return Path(tempfile.gettempdir()) / f"{settings.name}-{digest[:16]}.lock"


def _lease(settings: LeaseSettings, kafka: KafkaSettings, account: Path) -> Lease | None:
    kind = settings.kind
    if kind == "auto":
        kind = "kubernetes" if (account / "token").is_file() else "file"
    if kind == "none":
        return None
    if kind == "file":
        return FileLock(settings.file or default_file(settings, kafka))
    # Imported here: a producer outside a cluster starts without the client.
    from volwatch.producer.kubernetes_lease import KubernetesLease, in_cluster_api

    namespace = settings.namespace or _namespace(account)
    return KubernetesLease(in_cluster_api(), namespace, settings.name, settings.duration_seconds, time.time)


def _namespace(account: Path) -> str:
    try:
        return (account / "namespace").read_text("utf-8").strip()
    except OSError:
        raise Misconfigured(["VOLWATCH_LEASE_NAMESPACE is not set, and this pod's is not mounted"]) from None


def _holder(settings: LeaseSettings) -> str:
    """Return the name of this process and of no other anywhere: a lease rests on that."""
    identity = settings.identity or f"{socket.gethostname()}-{os.getpid()}"
    return f"{identity}_{secrets.token_hex(4)}"
