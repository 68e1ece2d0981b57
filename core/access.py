"""Access: what a person may do to a session, and why not where they may not."""

from dataclasses import dataclass
from enum import Enum

from core.policy import ADMINS, People, Policy
from core.seam.messages import Author
from core.session import Turn


class Deed(Enum):
    """What not everyone may do."""

    STOP = "stop"  # end the answer to a turn, which is another person's perhaps
    RESET = "reset"  # set aside what is remembered, or take that back
    SET = "set"  # change what is set for a channel or a workspace
    USAGE = "usage"  # see what all people there have used


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """Whether a deed is allowed; where it is not, `reason` says why in a sentence for the one who asked."""

    reason: str | None = None

    @property
    def granted(self) -> bool:
        """Whether it is allowed."""
        return self.reason is None


GRANTED = Permission()

_UNKNOWN = Permission(reason="I can't find out just now whether you may do that. Please try again in a minute.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What is allowed in one session, by its policy, to a person of whom it is known whether they are an admin.

    `is_admin` is None where the platform did not say so when it was asked. What reaches `strangers`, who share nothing
    with that person but us, is not for everyone to do.
    """

    policy: Policy
    is_admin: bool | None = False
    strangers: bool = False

    def asks_for_admins(self, person: Author | None, deed: Deed) -> bool:
        """Whether it must be known if this person is an admin."""
        people = self._people(deed)
        return person is not None and people is not None and person.id not in people and ADMINS in people

    def may(self, person: Author | None, deed: Deed, turn: Turn) -> Permission:
        """Whether somebody may do this to a turn's session; None is who is no person, and may do everything.

        What is stopped is the answer to that turn, which its own asker always may.
        """
        asker = turn.author
        if person is None or (deed is Deed.STOP and asker is not None and asker.id == person.id):
            return GRANTED
        people = self._people(deed)
        if people is None or person.id in people or (ADMINS in people and self.is_admin):
            return GRANTED
        if ADMINS in people and self.is_admin is None:
            return _UNKNOWN
        return Permission(reason=_why_not(deed, turn, people))

    def _people(self, deed: Deed) -> People:
        people = self._named(deed)
        return frozenset() if people is None and self.strangers else people

    def _named(self, deed: Deed) -> People:
        match deed:
            case Deed.STOP:
                return self.policy.may_stop
            case Deed.RESET:
                return self.policy.may_reset
            case Deed.SET | Deed.USAGE:
                return self.policy.may_set


def _why_not(deed: Deed, turn: Turn, people: frozenset[str]) -> str:
    named = "admins" if people == {ADMINS} else "those who are named for it in my settings"
    match deed:
        case Deed.STOP:
            whose = turn.author.name if turn.author is not None else "somebody else"
            return f"This answer is for {whose}: only they, and {named}, may stop it."
        case Deed.RESET:
            return f"Only {named} may reset this session, or take a reset back."
        case Deed.SET:
            return f"Only {named} may change my settings here."
        case Deed.USAGE:
            return f"Only {named} may see what all people here have used; `usage` shows you your own."
