"""Addresses of a PostgreSQL: what stands behind the question mark, in libpq's words, becomes what asyncpg is given.

What can't be taken is named all at once, with what to set instead, before anything connects.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from re import compile as pattern
from urllib.parse import urlencode

from sqlalchemy import URL, make_url

from core.errors import ConfigurationError

_PLAIN = frozenset({"host", "port", "user", "password", "database", "passfile", "service", "servicefile", "krbsrvname"})
_FILES = ("sslrootcert", "sslcert", "sslkey", "sslcrl")
_TLS = frozenset(
    {*_FILES, "sslmode", "sslpassword", "ssl_min_protocol_version", "ssl_max_protocol_version", "sslnegotiation"}
)
_OF_THE_SERVER = frozenset({"application_name", "options"})
_CHOICES: Mapping[str, tuple[str, ...]] = {
    "sslmode": ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    "target_session_attrs": ("any", "read-write", "read-only", "primary", "standby", "prefer-standby"),
    "channel_binding": ("prefer", "disable"),
    "gssencmode": ("prefer", "disable"),
}
_IDLE = frozenset(
    {
        *("channel_binding", "gssencmode", "fallback_application_name", "client_encoding", "sslcompression", "sslsni"),
        *("keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout"),
    }
)
"""What is asked of libpq, and changes nothing for asyncpg."""
_PROXY = "leave it out, and set DATABASE_LISTEN_URL where a proxy lends connections"
_KNOWN = _PLAIN | _TLS | _OF_THE_SERVER | _IDLE | _CHOICES.keys() | {"connect_timeout"}
_INSTEAD = {
    "statement_cache_size": _PROXY,
    "prepared_statement_cache_size": _PROXY,
    "pgbouncer": _PROXY,
    "command_timeout": "leave it out",
    "async_fallback": "leave it out",
}
_SEVERAL = pattern(r"(postgres[^:/]*://(?:[^@/?#]*@)?+)([^@/?#]*,[^@/?#]*)(?![^=]*@)(.*)")
"""What stands before an @ is a user and a password, which may hold a comma."""
_HOST = pattern(r"(\[[^\]]*\]|[^:]*)(?::(\d+))?")
_PORT = "5432"
_SSL = {"true": "require", "1": "require", "yes": "require", "on": "require", "false": "disable", "0": "disable"}


def parsed(url: str) -> URL:
    """The parts of an address; several hosts, however they are written, become libpq's options `host` and `port`.

    Raises ArgumentError, or ValueError.
    """
    if (found := _SEVERAL.fullmatch(url)) is not None:
        head, hosts, rest = found.groups()
        return _made(head + rest).update_query_dict(_several(hosts.split(",")))
    one = _made(url)
    hosts = one.query.get("host", "")
    return one if isinstance(hosts, str) else one.update_query_dict(_several(hosts))


def _made(url: str) -> URL:
    """Options without a value are kept, so that they can be refused."""
    one = make_url(url, keep_blank_values=True)
    if "@" in (one.host or ""):
        raise ValueError("the end of the password is taken for a host")
    return one


def for_tools(url: URL) -> URL:
    """The same as PostgreSQL's own tools take it, without the password."""
    options = {name: value for name, value in url.query.items() if name != "password"}
    if "ssl" in options:
        options.setdefault("sslmode", _sslmode(options.pop("ssl")))
    if "database" in options:
        options["dbname"] = options.pop("database")
    return URL.create(
        "postgresql", username=url.username, host=url.host, port=url.port, database=url.database, query=options
    )


def understood(url: URL, setting: str) -> tuple[URL, Mapping[str, object]]:
    """The address without options, and what else asyncpg is to be given. Raises ConfigurationError."""
    options = {name: value if isinstance(value, str) else value[-1] for name, value in url.query.items()}
    if "ssl" in options:
        options.setdefault("sslmode", _sslmode(options.pop("ssl")))
    if "dbname" in options:
        options["database"] = options.pop("dbname")
    wrong = [reason for name, value in options.items() if (reason := _wrong(name, value)) is not None]
    if wrong:
        raise ConfigurationError(f"{setting}: {'; '.join(wrong)}")
    plain = {name: value for name, value in url.query.items() if name in _PLAIN}
    if "database" in options:
        plain["database"] = options["database"]
    return url.set(drivername="postgresql+asyncpg", query=plain), _arguments(options)


def _several(hosts: Sequence[str]) -> dict[str, str]:
    """Each of them may have its port."""
    found = [one for host in hosts if (one := _HOST.fullmatch(host)) is not None]
    if len(found) < len(hosts):
        raise ValueError("there is a host that is none")
    return {
        "host": ",".join(one[1].strip("[]") for one in found),
        "port": ",".join(one[2] or _PORT for one in found),
    }


def _sslmode(ssl: str | Sequence[str]) -> str:
    word = (ssl if isinstance(ssl, str) else ssl[-1]).lower()
    return _SSL.get(word, word)


def _arguments(options: dict[str, str]) -> dict[str, object]:
    tls = {name: value for name, value in options.items() if name in _TLS}
    settings = {name: value for name, value in options.items() if name in _OF_THE_SERVER}
    given: dict[str, object] = {}
    if tls.get("sslrootcert") == "system":
        import ssl  # who has a file has no need of it

        given["ssl"] = ssl.create_default_context()  # asyncpg would look for a file of that name
    elif tls:
        given["dsn"] = f"postgresql:?{urlencode(tls)}"  # the one way on which asyncpg takes these
    if settings:
        given["server_settings"] = settings
    if "connect_timeout" in options:
        given["timeout"] = max(2.0, float(options["connect_timeout"]))
    if "target_session_attrs" in options:
        given["target_session_attrs"] = options["target_session_attrs"]
    return given


def _wrong(name: str, value: str) -> str | None:
    """What is wrong with this option, and what to do about it; values are quoted only where they can't be secrets."""
    if not value:
        return f"{name if name in _KNOWN else 'an option'} has no value: give it one, or leave it out"
    if name in _INSTEAD:
        return f"{name} is ours to choose: {_INSTEAD[name]}"
    if name not in _KNOWN:
        return f"there is no option {name} that could be taken: leave it out"
    if name in _CHOICES and value not in _CHOICES[name]:
        return f"{name} is one of {', '.join(_CHOICES[name])}"
    if name == "connect_timeout" and not (value.isdecimal() and int(value) > 0):
        return "connect_timeout is a number of seconds"
    if name in _FILES and value != "system" and not Path(value).is_file():
        return f"{name}: there is no file {value}"
    return None
