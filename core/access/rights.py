"""Rights: what a person may do to a session, and why not where they may not."""

from dataclasses import dataclass
from enum import Enum

from core.policy import ADMINS, MEMBERS, People, Policy
from core.seam.mentions import plain
from core.seam.messages import Author
from core.session import Turn


class Deed(Enum):
    """What not everyone may do."""

    READ = "read"  # see what is remembered, have it told, see what it cost
    FORK = "fork"  # take what is remembered along to another place
    EXPORT = "export"  # be handed all of it, what others have said as well
    FORGET = "forget"  # have it erased for good, what others have said as well
    STOP = "stop"  # end the answer to a turn, which is another person's perhaps
    RESET = "reset"  # set aside what is remembered, or take that back
    SET = "set"  # change what is set for a channel or a workspace
    USAGE = "usage"  # see what all people there have used
    HAND_OVER = "hand over"  # change who may do that; admins always may, so that nobody is locked out for good


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

_NO_MEMBERS = (
    "`may_set` is members for all of the workspace, and they are members of one conversation each. An admin can say "
    "`set workspace may_set admins`, or name others."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What is allowed in one session, by its policy, to a person of whom it is known what they are there.

    `is_admin` is None where the platform did not say so when it was asked. `is_member` says that they have said
    something to us in the session; `everywhere`, in all of a workspace, nobody is a member. In their `own` direct
    messages they may do everything. What reaches `strangers`, who share nothing with that person but us, is not for
    everyone to do.
    """

    policy: Policy
    is_admin: bool | None = False
    is_member: bool = False
    everywhere: bool = False
    strangers: bool = False
    own: bool = False

    def asks_for_admins(self, person: Author | None, deed: Deed) -> bool:
        """Whether it must be known if this person is an admin."""
        return self._asks_for(ADMINS, person, deed)

    def asks_for_members(self, person: Author | None, deed: Deed) -> bool:
        """Whether it must be known if this person has taken part in the session."""
        return self._asks_for(MEMBERS, person, deed)

    def _asks_for(self, group: str, person: Author | None, deed: Deed) -> bool:
        people = self._people(deed)
        return person is not None and people is not None and person.id not in people and group in people

    def is_for_everyone(self, deed: Deed) -> bool:
        """Whether nothing need be known of anybody who does this."""
        return self._people(deed) is None

    def may(self, person: Author | None, deed: Deed, turn: Turn) -> Permission:
        """Whether somebody may do this to a turn's session; None is who is no person, and may do everything.

        What is stopped is the answer to that turn, which its own asker always may.
        """
        asker = turn.author
        if person is None or self.own or (deed is Deed.STOP and asker is not None and asker.id == person.id):
            return GRANTED
        people = self._people(deed)
        if people is None or person.id in people or (MEMBERS in people and self.is_member):
            return GRANTED
        if ADMINS in people and self.is_admin is not False:
            return GRANTED if self.is_admin else _UNKNOWN
        if self.everywhere and people == {MEMBERS}:
            return Permission(reason=_NO_MEMBERS)
        return Permission(reason=_why_not(deed, turn, people))

    def _people(self, deed: Deed) -> People:
        people = None if self.own else self._named(deed)
        return frozenset() if people is None and self.strangers else people

    def _named(self, deed: Deed) -> People:
        if self.policy.is_lost:
            return frozenset({ADMINS})
        match deed:
            case Deed.READ | Deed.FORK:
                return self.policy.may_read
            case Deed.STOP:
                return self.policy.may_stop
            case Deed.RESET:
                return self.policy.may_reset
            case Deed.SET | Deed.USAGE:
                return self.policy.may_set
            case Deed.FORGET | Deed.EXPORT:
                return frozenset({ADMINS})
            case Deed.HAND_OVER:
                return None if self.policy.may_set is None else self.policy.may_set | {ADMINS}


_TOLD = {frozenset({ADMINS}): "admins", frozenset({MEMBERS}): "those who have said something to me here"}


def _why_not(deed: Deed, turn: Turn, people: frozenset[str]) -> str:
    named = _TOLD.get(people, "those who are named for it in my settings")
    match deed:
        case Deed.STOP:
            whose = plain("" if turn.author is None else turn.author.name) or "somebody else"
            return f"This answer is for {whose}: only they, and {named}, may stop it."
        case Deed.READ:
            return f"Only {named} may see what I remember here, and what it cost."
        case Deed.FORK:
            return f"Only {named} may take along what I remember here."
        case Deed.RESET:
            return f"Only {named} may reset this session, or take a reset back."
        case Deed.FORGET:
            return f"Only {named} may have me forget what others have said. `forget me` is for everyone."
        case Deed.EXPORT:
            return f"Only {named} may be shown all of a session. `export` shows you what I have stored of you."
        case Deed.SET | Deed.HAND_OVER:
            return f"Only {named} may change my settings here."
        case Deed.USAGE:
            return f"Only {named} may see what all people here have used; `usage` shows you your own."
