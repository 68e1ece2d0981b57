"""Access: what a person may do to a session, and why not where they may not."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum

from core.seam.messages import Author
from core.session import Turn


class Deed(Enum):
    """What not everyone may do."""

    STOP = "stop"  # end the answer to a turn, which is another person's perhaps


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """Whether a deed is allowed; where it is not, `reason` says why in a sentence for the one who asked."""

    reason: str | None = None

    @property
    def granted(self) -> bool:
        """Whether it is allowed."""
        return self.reason is None


GRANTED = Permission()


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What the operator allows. `may_stop` are those who may end another's answer, by their IDs; None is everyone."""

    may_stop: Collection[str] | None = None

    def may(self, person: Author | None, deed: Deed, turn: Turn) -> Permission:
        """Whether somebody may do this to a turn; None is who is no person, and may do everything."""
        if person is None:
            return GRANTED
        match deed:
            case Deed.STOP:
                return self._may_stop(person, turn)

    def _may_stop(self, person: Author, turn: Turn) -> Permission:
        asker = turn.author
        is_asker = asker is not None and asker.id == person.id
        if self.may_stop is None or is_asker or person.id in self.may_stop:
            return GRANTED
        whose = asker.name if asker is not None else "somebody else"
        return Permission(
            reason=f"This answer is for {whose}: only they, and those whom my operator names, may stop it."
        )
