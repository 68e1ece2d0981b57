"""The codec of bodies: sealed by data keys, of which those that were used lately are kept unwrapped in this process.

A key that is not at hand is read, or made, in a transaction of its own before the one that needs it (`NotYet`): so none
is ever used that was not stored for certain, and what is done in the steady state costs no statement more.
"""

import secrets
import threading
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import partial

from core.store import keys
from core.store.bodies import NotOpened, Place, forget_opened
from core.store.engine.again import NotYet
from core.store.engine.database import Database
from core.store.keys import DataKey
from core.vault.cipher import KEY, NONCE, Cipher, NotAuthentic
from core.vault.packet import NoPacket, head, number_of
from core.vault.ring import NoSuchKey, Ring

_MOST = 20_000
"""So many keys are kept at hand, each a few hundred bytes."""


@dataclass(frozen=True, slots=True)
class _Gone:
    """In place of a key: it was `destroyed`, or is not there, or our ring does not unwrap it."""

    destroyed: bool


class Vault:
    """Seals and opens the bodies of one database, by a ring; see `core.store.bodies.Codec`."""

    def __init__(self, ring: Ring, *, all_sealed: bool = False, most: int = _MOST) -> None:
        self.ring = ring
        self._wraps_by = ring.newest
        self._all_sealed = all_sealed
        self._most = most
        self._newest: dict[tuple[int, str], int] = {}
        self._keys: dict[tuple[int, int], Cipher | _Gone] = {}
        self._noting = threading.Lock()

    @property
    def all_sealed(self) -> bool:
        """Whether nothing is stored in the clear there any more."""
        return self._all_sealed

    @all_sealed.setter
    def all_sealed(self, known: bool) -> None:
        if known and not self._all_sealed:
            forget_opened()
        self._all_sealed = known

    def seal(self, place: Place, words: bytes, by: str) -> bytes:
        """The words in a packet. Raises NotYet where the key is not at hand."""
        number = self._newest.get((place.workspace, by), 0)
        key = self._keys.get((place.workspace, number))
        if not isinstance(key, Cipher):
            raise NotYet(partial(self._make, place.workspace, [by]))
        return head(number) + key.seal(words, _about(place), nonce=secrets.token_bytes(NONCE))

    def open(self, place: Place, packet: bytes) -> bytes:
        """What was sealed for this place. Raises NotOpened, and NotYet where the key is not at hand."""
        try:
            number, start = number_of(packet)
        except NoPacket:
            raise NotOpened from None
        key = self._keys.get((place.workspace, number))
        if key is None:
            raise NotYet(partial(self._read, place.workspace, number))
        if isinstance(key, _Gone):
            raise NotOpened(erased=key.destroyed)
        try:
            return key.open(packet, _about(place), start=start)
        except NotAuthentic:
            raise NotOpened from None

    def newest(self, workspace: int, by: str) -> int:
        """The number of the key that seals what this author writes. Raises NotYet where it is not at hand."""
        number = self._newest.get((workspace, by), 0)
        if not isinstance(self._keys.get((workspace, number)), Cipher):
            raise NotYet(partial(self._make, workspace, [by]))
        return number

    def want(self, workspace: int, authors: Collection[str]) -> None:
        """Has the keys of all these authors at hand. Raises NotYet where some are not."""
        lacking = [by for by in authors if (workspace, by) not in self._newest]
        if lacking:
            raise NotYet(partial(self._make, workspace, lacking))

    def wrap_new(self, identity: bytes) -> tuple[str, bytes]:
        """A new data key, as `keys.ensure` takes it."""
        return self._wraps_by, self.ring.wrap(self._wraps_by, secrets.token_bytes(KEY), identity)

    def follow(self, proof: DataKey) -> None:
        """Data keys are wrapped by the key of the ring that wraps the deployment's proof, if we have it.

        The newest one takes its place by a rotation: before that, another process may not have been told of it.
        """
        if self.proves(proof):
            self._wraps_by = proof.ring

    def know(self, found: Iterable[DataKey]) -> None:
        """Has these keys at hand, which are certain to be stored."""
        for row in found:
            if row.workspace != keys.DEPLOYMENT:
                self._note(row, self._unwrapped(row))

    def hear(self, changed: Iterable[DataKey]) -> None:
        """Takes notice of keys that were made or destroyed by others, as far as they concern what is at hand."""
        for row in changed:
            if not row.wrapped:
                forget_opened()
            if row.workspace == keys.DEPLOYMENT:
                if row.author == keys.PROOF:
                    self.follow(row)
                self.all_sealed = self.all_sealed or (row.author == keys.ALL_SEALED and self.proves(row))
            elif (row.workspace, row.number) in self._keys or (row.workspace, row.author) in self._newest:
                self._note(row, self._unwrapped(row))

    def proves(self, row: DataKey) -> bool:
        """Whether our ring unwraps this key."""
        return isinstance(self._unwrapped(row), Cipher)

    def _unwrapped(self, row: DataKey) -> Cipher | _Gone:
        if not row.wrapped:
            return _Gone(destroyed=True)
        try:
            return Cipher(self.ring.unwrap(row.ring, row.wrapped, row.about))
        except (NoSuchKey, NotAuthentic):
            return _Gone(destroyed=False)

    def _note(self, row: DataKey, key: Cipher | _Gone) -> None:
        with self._noting:
            self._keys[row.workspace, row.number] = key
            if isinstance(key, Cipher):
                known = self._newest.get((row.workspace, row.author), 0)
                self._newest[row.workspace, row.author] = max(row.number, known)
            while len(self._keys) > self._most:
                del self._keys[next(iter(self._keys))]
            while len(self._newest) > self._most:
                del self._newest[next(iter(self._newest))]

    async def _read(self, workspace: int, number: int, database: Database) -> None:
        found = await database.read(keys.around, workspace, number)
        with self._noting:
            self._keys.setdefault((workspace, number), _Gone(destroyed=False))
        self.know(found)

    async def _make(self, workspace: int, authors: Collection[str], database: Database) -> None:
        for by in authors:
            row = await database.write(keys.ensure, workspace, by, self.wrap_new)
            if not self.proves(row):
                row = await database.write(keys.ensure, workspace, by, self.wrap_new, after=row.number)
            self.know([row])


def _about(place: Place) -> bytes:
    """As `packet.about` writes it; in one go, as it takes longer than to seal, and most rows have two numbers."""
    table, column, workspace, session, row = place
    if len(row) == 2 and type(row[0]) is type(row[1]) is int:
        return f"{table}.{column}|{workspace}|{session}|{row[0]}|{row[1]}".encode()
    written = f"{table}.{column}|{workspace}|{session}"
    for part in row:
        written += f"|{len(part)}:{part}" if isinstance(part, str) else f"|{part:d}"
    return written.encode()
