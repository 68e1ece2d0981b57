"""The vault of a deployment: made of the settings' key ring, held against the database, and put to use or refused."""

import asyncio
from collections.abc import Iterable, Set
from contextlib import suppress

import structlog

from core.config import Settings, own_keys
from core.errors import ConfigurationError, DatabaseError
from core.store import Database, bodies, keys, resealing
from core.store.sealing import Vault
from core.vault import ring as rings
from core.vault.ring import Ring

log = structlog.get_logger()

REMEDY = "`backscroll keys generate` makes a key for BACKSCROLL_KEYS, and the next start seals what is stored"

NOT_ALL = "what was stored before is not all sealed yet"

_GONE = (
    "the table data_keys is empty, without which nothing that is stored here can be opened: put it back, from where "
    "you have kept it"
)


def ring(settings: Settings) -> Ring | None:
    """The key ring of the settings, if there is one. Raises ConfigurationError."""
    written = own_keys(settings)
    name = rings.SETTING + ("_FILE" if settings.backscroll_keys is None else "")
    return None if written is None else rings.read(written, name)


async def require(ring: Ring | None, database: Database) -> None:
    """Only reads. Raises ConfigurationError where this database was sealed by keys that the ring does not have."""
    require_known(ring, await database.read(keys.rings), are_gone=await database.read(keys.are_gone))


def require_known(ring: Ring | None, used: Set[str], *, are_gone: bool) -> None:
    """Raises ConfigurationError where the ring lacks keys with these fingerprints, or where the data keys are gone."""
    if are_gone:
        raise ConfigurationError(_GONE)
    lacking = used - set(() if ring is None else ring.fingerprints)
    if not lacking:
        return
    missing = f"{rings.SETTING} is not set" if ring is None else f"the key ring lacks {_named(lacking)}"
    raise ConfigurationError(f"{missing}: what is stored here is sealed by {_named(used)}; add what is missing")


async def mind_others(database: Database, every: float) -> None:
    """For a process without a ring: raises ConfigurationError once another one, which has one, begins to seal."""
    while True:
        with suppress(DatabaseError):  # then nothing can be stored either
            await require(None, database)
        await asyncio.sleep(every)


async def leaves_some_in_the_clear(database: Database) -> bool:
    """Whether something was stored before there was a ring, and is not known to be sealed yet. Only reads."""
    mark = await database.read(keys.newest, keys.DEPLOYMENT, keys.ALL_SEALED)
    return mark is None and not await database.read(resealing.is_empty)


async def enter(ring: Ring | None, database: Database) -> Vault | None:
    """From here on this process seals by the ring, and opens; in the clear without one. Raises ConfigurationError."""
    vault = None if ring is None else Vault(ring)
    if vault is not None:
        await _prove(vault, database)
    bodies.use(vault)
    return vault


async def _prove(vault: Vault, database: Database) -> None:
    """A database that nothing was stored in is sealed from its beginning."""
    proof = await database.write(keys.ensure, keys.DEPLOYMENT, keys.PROOF, vault.wrap_new)
    mark = await database.read(keys.newest, keys.DEPLOYMENT, keys.ALL_SEALED)
    if not vault.proves(proof) or not (mark is None or vault.proves(mark)):
        raise ConfigurationError(f"{rings.SETTING} does not open the keys of this database: it is another one's")
    vault.follow(proof)
    if mark is not None:
        vault.all_sealed = True
    elif await database.read(resealing.is_empty):
        await resealing.mark(vault, database)


def tell(vault: Vault | None) -> None:
    """Says in the log what is stored in the clear."""
    if vault is None:
        log.warning("stored in the clear", what="all that people say", remedy=REMEDY)
    elif not vault.all_sealed:
        log.warning("not all is sealed yet", until="the log says so")


def _named(fingerprints: Iterable[str]) -> str:
    found = sorted(fingerprints)
    return f"the key{'s' if len(found) > 1 else ''} {', '.join(found)}"
