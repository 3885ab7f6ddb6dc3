from dataclasses import dataclass, field
from typing import cast

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection  # noqa: N812 - the driver names the class in lower case

from volwatch.errors import Transient
from volwatch.warehouse.pool import Pool


@dataclass
class FakeConnection:
    """A connection that answers until it is ``dead``."""

    dead: bool = False
    closed: bool = False
    done: list[str] = field(default_factory=list)

    def cursor(self) -> "FakeConnection":
        return self

    def __enter__(self) -> "FakeConnection":
        return self

    def __exit__(self, *_: object) -> None: ...

    def execute(self, statement: str) -> None:
        if self.dead:
            raise psycopg2.OperationalError("the server closed the connection")
        self.done.append(statement)

    def rollback(self) -> None:
        self.done.append("ROLLBACK")

    def close(self) -> None:
        self.closed = True


class Server:
    """Opens connections and remembers them; a clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.opened: list[FakeConnection] = []
        self.now = 0.0

    def connect(self) -> Connection:
        self.opened.append(FakeConnection())
        return cast("Connection", self.opened[-1])

    def pool(self, size: int = 2) -> Pool:
        return Pool(self.connect, size=size, wait_seconds=0.0, max_age_seconds=60.0, clock=lambda: self.now)


def test_a_connection_is_lent_again_after_it_was_seen_alive() -> None:
    server = Server()
    pool = server.pool()
    for _ in range(2):
        with pool.lend():
            pass
    (connection,) = server.opened
    assert connection.done == ["ROLLBACK", "SELECT 1", "ROLLBACK", "ROLLBACK"]


def test_a_dead_connection_is_replaced() -> None:
    server = Server()
    pool = server.pool()
    with pool.lend():
        pass
    server.opened[0].dead = True
    with pool.lend() as connection:
        assert connection is cast("Connection", server.opened[1])
    assert [one.closed for one in server.opened] == [True, False]


def test_an_old_connection_is_replaced() -> None:
    server = Server()
    pool = server.pool()
    with pool.lend():
        pass
    server.now = 60.0
    with pool.lend():
        pass
    assert [one.closed for one in server.opened] == [True, False]


def test_no_more_than_the_size_are_open() -> None:
    server = Server()
    pool = server.pool(size=2)
    with pool.lend(), pool.lend(), pytest.raises(Transient, match="no connection was free"), pool.lend():
        pass
    assert len(server.opened) == 2
    with pool.lend():
        assert len(server.opened) == 2


@pytest.mark.parametrize("error", [psycopg2.OperationalError, psycopg2.InterfaceError, psycopg2.errors.UndefinedTable])
def test_what_waiting_mends_is_transient_and_its_connection_is_not_lent_again(error: type[Exception]) -> None:
    server = Server()
    pool = server.pool(size=1)
    with pytest.raises(Transient, match="gone"), pool.lend():
        raise error("gone")
    with pool.lend():
        pass
    assert [one.closed for one in server.opened] == [True, False]


def test_a_fault_of_the_caller_stays_what_it_is() -> None:
    server = Server()
    pool = server.pool(size=1)
    with pytest.raises(ZeroDivisionError), pool.lend():
        raise ZeroDivisionError
    with pool.lend():
        pass
    assert [one.closed for one in server.opened] == [True, False]


def test_a_server_that_is_away_gives_its_turn_back() -> None:
    calls: list[None] = []

    def refuse() -> Connection:
        calls.append(None)
        raise Transient("connection refused")

    pool = Pool(refuse, size=1, wait_seconds=0.0)
    for _ in range(2):
        with pytest.raises(Transient, match="connection refused"), pool.lend():
            pass
    assert len(calls) == 2


def test_closing_closes_what_is_idle() -> None:
    server = Server()
    pool = server.pool()
    with pool.lend():
        pass
    pool.close()
    assert server.opened[0].closed
