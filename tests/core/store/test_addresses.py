"""What a database's address may hold: libpq's options are taken, and what can't be is named all at once."""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from sqlalchemy import Connection, make_url, text

from core.errors import ConfigurationError
from core.store import connect, without_password
from core.store.engine.addresses import parsed, understood
from tests.wire.postgresql import road

SECRET = "sesame"


def named(connection: Connection) -> str:
    return str(connection.execute(text("SELECT current_setting('application_name')")).scalar_one())


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
@pytest.mark.parametrize(
    "options",
    [
        "application_name=mine",
        "application_name=mine&connect_timeout=5&channel_binding=prefer&target_session_attrs=read-write",
        "application_name=mine&sslmode=prefer&sslrootcert=root.crt&gssencmode=disable&keepalives=1",
        "application_name=mine&ssl=false&options=-c%20statement_timeout%3D9000",
    ],
)
async def test_libpqs_options_are_taken(
    url: str, options: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """G4."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "root.crt").write_text("")
    database = connect(f"{url}&{options}")

    assert await database.read(named) == "mine"
    await database.close()


def test_what_protects_the_way_reaches_the_driver(tmp_path: Path) -> None:
    """G4: as it is written, and never less."""
    (tmp_path / "root.crt").touch()
    demanded = f"sslmode=verify-full&sslrootcert={tmp_path}/root.crt"

    bare, given = understood(make_url(f"postgresql://me@server/x?{demanded}"), "DATABASE_URL")
    _, short = understood(make_url("postgresql://me@server/x?ssl=true"), "DATABASE_URL")
    _, system = understood(make_url("postgresql://me@server/x?sslmode=verify-full&sslrootcert=system"), "DATABASE_URL")

    assert not bare.query
    assert given["dsn"] == f"postgresql:?sslmode=verify-full&sslrootcert={str(tmp_path).replace('/', '%2F')}%2Froot.crt"
    assert short == {"dsn": "postgresql:?sslmode=require"}
    assert system["ssl"].check_hostname  # type: ignore[attr-defined]


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
@pytest.mark.parametrize(
    "written",
    [
        "postgresql://{user}@127.0.0.1:{one},127.0.0.1:{other}{path}?target_session_attrs=read-write",
        "postgresql://{user}@[::1]:{one},127.0.0.1:{other}{path}",
        "postgresql://{user}@{path}?host=127.0.0.1:{one}&host=127.0.0.1:{other}",
        "postgresql://{user}@{path}?host=127.0.0.1,127.0.0.1&port={one},{other}",
    ],
)
async def test_of_several_hosts_the_one_that_answers_is_taken(url: str, written: str) -> None:
    """As libpq and SQLAlchemy write them."""
    async with road(url) as one, road(url) as other:
        ports = {"one": urlsplit(one.url).port, "other": urlsplit(other.url).port}
        one.cut()
        database = connect(written.format(user=urlsplit(one.url).username, path=urlsplit(one.url).path, **ports))

        assert await database.read(named) == ""
        await database.close()


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("postgresql://me:sesame@server/x?ssl=require", "postgresql://me@server/x?sslmode=require"),
        ("postgresql://me:sesame@server/x?ssl=false&sslmode=prefer", "postgresql://me@server/x?sslmode=prefer"),
        ("postgresql://me@server/?database=x&password=sesame", "postgresql://me@server/?dbname=x"),
        ("postgres://me:sesame@a:1,[::1]:2,c/x", "postgresql://me@/x?host=a%2C%3A%3A1%2Cc&port=1%2C2%2C5432"),
        ("postgresql://me:sesame@/x?host=a:1&host=b", "postgresql://me@/x?host=a%2Cb&port=1%2C5432"),
    ],
)
def test_postgresqls_own_tools_are_told_in_their_own_words(written: str, shown: str) -> None:
    """They know no `ssl` and no `database`, and take several hosts in one option."""
    assert without_password(written) == shown


@pytest.mark.parametrize("password", ["sesame,open", "se,sa,me", "sesame,/open"])
def test_a_password_may_hold_a_comma(password: str) -> None:
    """It stands before the @, where no hosts are."""
    one, several = parsed(f"postgresql://me:{password}@server/x"), f"postgresql://me:{password}@a,b:6/x"

    assert (one.password, one.host, one.query) == (password, "server", {})
    if "/" not in password:
        assert parsed(several).password == password
        assert parsed(several).query == {"host": "a,b", "port": "5432,6"}


@pytest.mark.parametrize("ask", [connect, without_password])
def test_the_end_of_a_password_is_never_taken_for_a_host(ask: Callable[[str], object]) -> None:
    """It would be asked for of name servers, and shown."""
    with pytest.raises(ConfigurationError, match="an @ of the password is %40") as refused:
        ask(f"postgresql://me:half@{SECRET}@server/x")

    assert SECRET not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("postgresql://me:sesame@server/x?sslmode=&connect_timeout=5", "sslmode has no value"),
        ("postgresql://me:sesame@server/x?sslmode=require&sslmode", "sslmode has no value"),
        ("postgresql://me:sesame@a,b/x?target_session_attrs", "target_session_attrs has no value"),
        ("postgresql://me:half@server/x?sesame", "an option has no value"),
        ("sqlite:///what?.db", "SQLite is given none"),
    ],
)
def test_an_option_without_a_value_is_refused(url: str, told: str) -> None:
    """As of `?sslmode=$MODE` where there is no MODE: what is asked for is never left out without a word."""
    with pytest.raises(ConfigurationError, match=told) as refused:
        connect(url)

    assert SECRET not in str(refused.value)


def test_several_hosts_of_which_one_is_none_are_no_address() -> None:
    with pytest.raises(ConfigurationError, match="not a database URL"):
        connect(f"postgresql://me:{SECRET}@one:5432,two:port/x")


def test_options_that_can_not_be_taken_are_named_all_at_once() -> None:
    """G4."""
    options = "colour=blue&statement_cache_size=0&sslmode=strict&channel_binding=require&sslcert=missing.crt"

    with pytest.raises(ConfigurationError) as refused:
        connect(f"postgresql://me:{SECRET}@server/x?{options}")

    told = str(refused.value)
    assert told.startswith("DATABASE_URL: ")
    for words in (
        "no option colour",
        "statement_cache_size is ours to choose: leave it out, and set DATABASE_LISTEN_URL",
        "sslmode is one of disable, allow, prefer, require, verify-ca, verify-full",
        "channel_binding is one of prefer, disable",
        "sslcert: there is no file missing.crt",
    ):
        assert words in told
    assert SECRET not in told


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("sqlite+pysqlcipher://:sesame@/file.db", "pysqlcipher"),
        ("sqlite+aiosqlite:///file.db", "aiosqlite"),
        ("postgresql+psycopg2://me:sesame@server/x", "psycopg2"),
        ("sqlite:///file:x?mode=memory&uri=true", "sqlite:///FILE"),
        ("sqlite:///file.db?cache=shared", "sqlite:///FILE"),
    ],
)
def test_another_driver_is_refused_by_its_name(url: str, named: str) -> None:
    """G4: what is asked to be encrypted is not stored otherwise without a word."""
    with pytest.raises(ConfigurationError, match=named) as refused:
        connect(url)

    assert SECRET not in str(refused.value)
