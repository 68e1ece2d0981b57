"""The seam: what a platform must be able to do, and what it promises.

Beside its adapter a platform's module has `from_settings(settings) -> Adapter`: the program makes the adapter by it.
What any door may use stands in this room: `settings` (are tokens and addresses there?), `keeping` (what could not be
stored is offered again), `ordering` (nobody is overtaken), `cache` (hints, never more than so many), `quiet`
(a server that wants to be left alone is), `links` (what people open messages by).

The promises, each a test that every adapter passes (`tests/test_adapter_promises.py`):

1. Receive first, acknowledge after. `receive` returns once the message is stored or known already.
   If it raises, do not acknowledge: the platform will send again.
2. Say what is, not what to do. Report facts; the core decides whether to answer.
3. Never echo yourself.
4. `deliver` may be called twice with the same key. When `attempt` is above 1, look before you post again;
   use the platform's own idempotency where there is one.
5. Everything but text and address is a hint. An expired ticket, a lost draft, no ephemeral replies, no forms:
   deliver anyway, plainly.
6. What was missed can be asked for. `since` gives it with the same IDs and facts as `listen` would have.
"""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from core.errors import DeliveryRefused
from core.seam.address import Address
from core.seam.links import Linked
from core.seam.messages import Draft, Event, Inbound, Reply

Receive = Callable[[Event], Awaitable[None]]
"""Takes in what reached us; returns once it is stored (or known already), raises when it could not be."""


class Whole(list[Inbound]):
    """All that people have said in a place since an instant: what is not among it does not stand there any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of the doctor's report: what was checked, whether it is well, and how to mend it when it is not."""

    subject: str
    ok: bool
    detail: str
    remedy: str = ""


class Adapter(ABC):
    """One platform. Snapshots of whole texts come in, so an adapter may skip any preview but no delivery."""

    platform: str
    """The first part of every session ID, and the name of the adapter."""

    max_text: int
    """The longest text of one message, in characters, after `render`."""

    preview_every: float
    """The least time between two previews of one message and between two previews in one channel, in seconds."""

    rings: bool = True
    """Whether a mention in what is posted calls people. A platform that is told with each call whom it may call, or has
    nobody to call, says no; else mentions are broken before they get there, which leaves its mark in the text."""

    shared: bool = True
    """Whether all processes show the same screen. Where each has its own, what is said is answered by the process that
    heard it, for as long as that is there."""

    bridges: float = 0.0
    """A gap in hearing of so many seconds is closed by the platform itself, which sends again what was not taken."""

    @abstractmethod
    async def listen(self, receive: Receive) -> None:
        """Hands everything that reaches us to `receive`, until cancelled or until the platform has no more to say.

        Raises PlatformError when the platform will not have us.
        """

    @abstractmethod
    async def deliver(self, reply: Reply) -> str:
        """Puts the reply on screen for good and returns the platform's message ID.

        With a draft, that message becomes the reply. Raises DeliveryDelayed, DeliveryUnknown or DeliveryRefused.
        """

    @abstractmethod
    async def preview(self, reply: Reply) -> Draft | None:
        """Shows the text so far, and returns the message on screen; None when nothing is shown.

        Empty text means that the bot is at work and has nothing to show yet. A preview is a courtesy: it may be
        skipped, and an error that it raises is only logged.
        """

    async def backscroll(self, message: Inbound, limit: int) -> Sequence[Inbound]:
        """What was said in this place before `message`, oldest first, at most `limit` messages, in one call.

        Raises DeliveryDelayed when the platform allows no such call now. A platform without history has none.
        """
        return ()

    async def fetch(self, address: Address, source: str, limit: int) -> bytes:
        """What a message in this place has attached, by the `source` of its quote: at most the first `limit` bytes.

        From the platform's own hosts alone, with our credentials. Raises a DeliveryError when it can't be had.
        """
        raise DeliveryRefused("this platform has no files")

    async def link(self, address: Address, message: str) -> str | None:
        """The address by which people open this message; None where there is none.

        It takes no call for each message. Raises a DeliveryError when it can't be known now.
        """
        return None

    async def linked(self, words: str) -> Linked | None:
        """The message that these words are a link to, as `link` writes it or as people copy it; None of other words.

        Whether there is such a message is not looked up. Raises a DeliveryError when it can't be known now.
        """
        return None

    async def is_admin(self, address: Address, person: str, *, workspace: bool) -> bool:
        """Whether the platform gives this person, by their ID, power over this channel, or over all of its workspace.

        Asked only when a person does what admins may. Raises a DeliveryError when it can't be known now.
        """
        return False

    async def sees(self, address: Address, person: str) -> bool:
        """Whether this person, by their ID, sees this place now, and so what is said there.

        Raises a DeliveryError when it can't be known now; a DeliveryRefused where it can't be found out at all.
        """
        return True

    def hears(self) -> bool:
        """Whether what people say reaches us at this moment."""
        return True

    async def places(self, since: float) -> Sequence[Address]:
        """Where somebody may have spoken to us after this instant, although no session need live there.

        Raises a DeliveryError when that can't be known now. What is not known to the adapter is not among them.
        """
        return ()

    async def since(self, address: Address, after: float) -> Sequence[Inbound]:
        """What people said in this place after this instant (seconds since 1970), oldest first, as `listen` has it.

        A channel's address means its top level; what was said there may open sessions of its own. Where the history
        may not be read there is none. Where it was read to its end it is `Whole`. What we have answered has its
        `answer`, since a database that was put back does not know of that. Raises a DeliveryError: a DeliveryDelayed
        when the platform allows no call now, PlaceGone when the place is no more.
        """
        return ()

    async def withdraw(self, address: Address, message: str) -> None:
        """Takes a message of ours off the screen; it is well when it is gone already. Raises a DeliveryError."""

    async def reconcile(self, reply: Reply, message: str) -> None:
        """Some time after an uncertain delivery: sees to it that `message` shows this reply, and no other one does.

        One look at what is on screen: whatever else has the reply's key is withdrawn, another text is put right, a
        message that people have deleted stays away. A reply without a text is one of which nobody knows any more what
        it says: its message stays as it is. Raises a DeliveryError.
        """

    async def mark(self, address: Address, message: str, *, waits: bool) -> None:
        """Shows that a person's message waits for its turn, or takes that sign back. A courtesy, as `preview` is."""

    async def presence(self, address: Address, *, is_present: bool) -> None:
        """Shows whether a conversation is going on in this place, or was timed out. A courtesy, as `preview` is.

        A platform without a sign for that shows nothing; nothing is ever posted for it.
        """

    def render(self, text: str) -> str:
        """Standard Markdown in the platform's own dialect, before it is split at `max_text`. Pure."""
        return text

    async def examine(self) -> Sequence[Finding]:
        """Checks the settings against the real service, without posting anything."""
        return ()

    async def close(self) -> None:
        """Lets go of connections that deliveries needed; called after `listen` has ended and all work is done."""
