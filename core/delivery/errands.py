"""Errands: what is to be delivered, as one value."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from core.delivery import composing
from core.seam.forms import Form
from core.seam.messages import Chart, Choice, Draft, Reply
from core.session import Lease, SessionKey, Turn
from core.store.deliveries import Delivery
from core.store.states import DeliveryState


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """What is to be delivered: all that is stored of what a turn causes, and what is known of the way there.

    The `cause` is the turn that is answered, or a notice of our own.

    Without a `lease` it is a command that is answered beside the queue. `stored` is what this process has stored a
    moment ago: the intent to post its first part stands, and no call has been made on it; None where it must be read,
    because somebody may have begun already. `drafts` is what is on screen of it by now. With `doubtful` something on
    screen may still change, so it is reconciled later. `private` is for the asker's eyes alone, who may pick one of the
    `choices`, or fill in the `form`; `buttons` are for everybody. A `chart` may stand in place of some of the words.
    What answers a `command` has its name in the table. With `decided` it was this process that has stored what is said,
    a moment ago.
    """

    key: SessionKey
    cause: Turn
    lease: Lease | None
    stored: Sequence[Delivery] | None = None
    drafts: Mapping[int, Draft] = field(default_factory=dict)
    doubtful: bool = False
    private: bool = False
    choices: tuple[Choice, ...] = ()
    buttons: tuple[Choice, ...] = ()
    chart: Chart | None = None
    form: Form | None = None
    command: str | None = None
    decided: bool = False

    @property
    def seq(self) -> int:
        """The turn's."""
        return self.cause.seq

    def is_intended(self, part: Delivery) -> bool:
        """Whether the intent of the first call for this part is stored already."""
        return self.stored is not None and part.state is DeliveryState.SENDING

    def _attempt(self, part: Delivery) -> int:
        """Where something of this was on screen before we began, any further part of it may be as well."""
        if self.is_intended(part):
            return part.tries
        return max(part.tries + 1, 2 if self.doubtful and part.part else 1)

    def reply(self, part: Delivery, *, last: bool) -> Reply:
        """The part as it is handed to the platform."""
        return replace(
            composing.reply(self.key, self.cause, part.part, part.text),
            draft=self.drafts.get(part.part, part.draft),
            last=last,
            attempt=self._attempt(part),
            private=self.private,
            choices=self.choices if last else (),
            buttons=self.buttons if last else (),
            chart=self.chart,
            form=self.form if last else None,
        )
