"""The values that cross the seam between a platform's adapter and the core: what was said, and what is to be said."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal

from core.seam.address import Address
from core.seam.forms import Form


class Audience(Enum):
    """Whom a message is for, by the platform's own conventions."""

    BOT = "bot"  # it mentions the bot, or replies to one of its messages
    OTHERS = "others"  # it mentions other people and not the bot
    ROOM = "room"  # nobody in particular


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """Who said it: the platform's stable ID, and the display name, which anyone may choose."""

    id: str
    name: str
    is_bot: bool = False
    is_self: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a person is in the place where they speak, as the platform tells it; None where it does not tell now.

    `home` is the workspace that they are a member of, where that is another one than the place's. Those of another
    organisation are `is_external`. A member whom the workspace gives few of its places is a guest. `roles` are IDs.
    """

    home: str | None = None
    is_external: bool | None = False
    is_guest: bool | None = False
    roles: frozenset[str] | None = frozenset()


MEMBER = Standing()
"""Somebody of the place's own workspace, of whom there is nothing more to tell."""


UNTOLD = Standing(roles=None)
"""Somebody of whom the platform has told nothing, as of most of those who are quoted."""


Pointing = Literal["replies to", "forwards", "attaches", "embeds", "hangs on", "is under", "prefers", "overheard from"]
"""What a message does to the words that it quotes: it hangs on the message that opened its thread, is under a title.

What its speaker prefers, and what was said around it, is the core's to add, and no adapter's.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """What a message points at: material for the answer, and never its speaker's own words.

    `author` and `at` (seconds since 1970) say whose words they are and when they were said, where that is known;
    `title` is a file's name, an embed's or a post's title. `message` is the platform's ID of the quoted message, if it
    is one of this channel: its edits and deletion reach the quote. `source` is the adapter's own note by which
    `Adapter.fetch` gets what is attached; once that was tried, there is the text, or `unread` says why there is none.
    `said_in` is the platform's ID of the channel or thread that it was said in, where that may be another one, and
    `standing` what the platform says of its author, as far as it is known. What is a copy, and stays as it is, was
    `copied` from the message with that ID there. `edited_at` is when a person last changed it, where that is told.
    """

    kind: Pointing
    text: str = ""
    author: Author | None = None
    at: float | None = None
    title: str = ""
    message: str | None = None
    source: str | None = field(default=None, repr=False)
    unread: str | None = None
    said_in: str | None = field(default=None, compare=False)
    standing: Standing = field(default=UNTOLD, compare=False, repr=False)
    copied: str | None = field(default=None, compare=False)
    edited_at: float | None = field(default=None, compare=False)

    @property
    def is_open(self) -> bool:
        """Whether there is something to be fetched that nobody has tried to fetch."""
        return self.source is not None and not self.text and self.unread is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbound:
    """One message or command that reached us, in our words. Facts only: the core decides whether to answer.

    `id` is the platform's ID of the message (of the interaction, for a native command). It is the key that makes a
    second arrival harmless, so it must be the same however often and by whichever event the message arrives.
    `text` is Markdown in which the bot's own mention is taken out. `at` is the platform's time in seconds since 1970.
    `verb` is set when the platform itself says that this is a command; `text` then holds its arguments.
    `vague` says that the platform could not tell in which thread a command was typed: `address` is the channel.
    `reply_to` is the message that an answer attaches to, where there is one.
    `quotes` are the words of others, and the files, that it points at, in the order in which people see them.
    `edited_at` is when a person last changed it (seconds since 1970), where a history tells that.
    `standing` is what its author is there. `public` says whether all of the workspace may see the place, and None that
    this is not known, or can't change.
    `answer` is what we have said in answer to it, where a history shows that; empty where it only shows that we have.
    `ticket` is the adapter's own note for answering this event; it is stored with it, may expire, and is never logged.
    """

    address: Address
    id: str
    author: Author
    text: str
    at: float
    audience: Audience = Audience.ROOM
    direct: bool = False
    verb: str | None = None
    vague: bool = False
    reply_to: str | None = None
    quotes: tuple[Quote, ...] = ()
    edited_at: float | None = field(default=None, compare=False)
    standing: Standing = field(default=MEMBER, compare=False)
    public: bool | None = field(default=None, compare=False)
    answer: str | None = field(default=None, compare=False, repr=False)
    ticket: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """An event that the adapter could not read: kept with the reason, so that it can be acknowledged and looked at."""

    platform: str
    id: str
    reason: str
    payload: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited:
    """A person has changed a message: what it has become, and when, in seconds since 1970 by the platform's clock.

    `message.id` and `message.at` are those of the message itself. What the platform adds to a message by itself
    (previews of links, counts of replies) is no edit.
    """

    message: Inbound
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleted:
    """A message is gone from people's screens."""

    address: Address
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """A place is closed for talk: a thread, or with an address that names no thread, a channel and all in it.

    `gone` says that everything said there is gone from people's screens as well.
    """

    address: Address
    gone: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """We are not in this workspace any more: people have removed us. What was said there stays on their screens."""

    platform: str
    workspace: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The platform says by itself that a message of ours is on screen: the key of its reply, and the message."""

    address: Address
    key: str
    shown: "Draft"


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """A form that somebody has filled in: the commands that say what they have changed, by the names of the fields.

    They are taken in as if each had been said, in this order if it does; but where one can't be done as it is, none of
    them is, and `receive` raises NotFilled. A form in which nothing was changed is nothing to tell of.
    """

    address: Address
    orders: Mapping[str, Inbound]

    @property
    def author(self) -> Author:
        """Who has filled it in."""
        return next(iter(self.orders.values())).author


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A message already on screen that is still growing: its platform ID and the text shown so far.

    `note` is the adapter's own, for example how the message is being written.
    """

    id: str
    text: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A command that may be picked: what people read, the session that the command is for, and its arguments."""

    label: str
    verb: str
    address: Address
    line: str = field(default="", repr=False)

    @property
    def command(self) -> str:
        """The whole command in one line, so that nothing need be kept until it is picked: `read` reads it."""
        return f"{self.verb} {self.address.id} {self.line}".strip()

    @classmethod
    def read(cls, command: str) -> "Choice":
        """What was picked, by its command. Raises AddressError."""
        verb, _, rest = command.partition(" ")
        session, _, line = rest.partition(" ")
        return cls(label="", verb=verb, address=Address.parse(session), line=line)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Numbers that a platform may draw as bars, by their names. `words` is the part of a text that shows the same."""

    title: str
    numbers: tuple[tuple[str, int], ...]
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One visible message: what we want said, where, to whom. `text` is always the whole text, never a delta.

    `key` is opaque, at most 24 characters of [a-z2-7], fixed before the first call and the same at every repetition.
    `attempt` counts the calls that may already have put this message on screen, this one included: 1 is the first.
    `asked_at` is when the answered message was said, in seconds since 1970: the message cannot be older than that.
    `last` says that no further message follows in answer to the same one. What is `passing` begins nothing: another
    text takes its place.
    `others` and `above` are for a look at the screen that finds messages of ours which do not say what they are.
    `others` are the IDs of those that are known to be other replies: this reply is none of them. `above` are the IDs of
    the replies to what was said before, as far as they are known: this reply is to stand below all of them.
    `choices` are for the asker, who is asked; `buttons` are for anybody: what they do can be said in words as well.
    A `form` is for the asker, in place of the text, where the platform has forms and still waits for one.
    `chart` may stand in the place of its words, where the text has them.
    `asker` is the one person whom the text may mention, and who sees it when it is `private`.
    Everything but `address` and `text` is a hint: an adapter that can't use one delivers anyway, plainly.
    """

    key: str
    address: Address
    text: str
    asked_at: float
    part: int = 0
    last: bool = True
    passing: bool = False
    attempt: int = 1
    asker: Author | None = None
    reply_to: str | None = None
    private: bool = False
    choices: tuple[Choice, ...] = ()
    buttons: tuple[Choice, ...] = ()
    chart: Chart | None = None
    form: Form | None = None
    others: frozenset[str] = frozenset()
    above: frozenset[str] = frozenset()
    draft: Draft | None = None
    ticket: str | None = field(default=None, repr=False)


Event = Inbound | Filled | Edited | Deleted | Closed | Left | Receipt | Rejected
"""What an adapter hands to the core."""
