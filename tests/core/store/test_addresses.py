"""What a database's address may hold: libpq's options are taken, and what can't be is named all at once."""

from pathlib import Path

import pytest
from sqlalchemy import Connection, make_url, text

from core.errors import ConfigurationError
from core.store import connect
from core.store.engine.addresses import understood

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
