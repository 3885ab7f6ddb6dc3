"""Free TCP ports of this machine."""

import random
import socket

LOOPBACK = "127.0.0.1"
# Below the range from which Linux serves outgoing connections: none of those can take a port before its server does.
_FIRST, _LAST = 20_000, 31_999


def free_port(randomness: random.Random) -> int:
    """Return a port of the loopback interface on which nothing listens."""
    while True:
        port = randomness.randint(_FIRST, _LAST)
        if is_free(port):
            return port


def is_free(port: int) -> bool:
    """Return whether a server could listen on the port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True
