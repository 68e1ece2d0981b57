"""The journal: one line in the log for what happened, where people rely on such a line."""

import structlog

from core.events import (
    Accepted,
    Answered,
    Closed,
    Deleted,
    Edited,
    Event,
    GaveUp,
    Left,
    QuestionChanged,
    Skipped,
)

log = structlog.get_logger()


def note(event: Event) -> None:
    """Writes the event's line. Subscribes to `Events`."""
    match event:
        case Accepted():
            log.debug("accepted", session=event.address.id, to_be_answered=event.to_be_answered)
        case Answered():
            log.info("answered", session=event.address.id, command=event.command, seconds=round(event.seconds, 1))
        case GaveUp():
            log.error("given up", session=event.address.id, attempts=event.attempts, deaths=event.deaths)
        case QuestionChanged():
            log.info("question changed", session=event.address.id)
        case Skipped():
            log.warning("skipped", session=event.address.id, messages=event.messages)
        case Edited():
            log.info("edited", session=event.address.id)
        case Deleted():
            log.info("deleted", session=event.address.id)
        case Closed():
            kept = "nothing" if event.gone else "words"
            log.info("closed", session=event.address.id, waiting=event.waiting, kept=kept)
        case Left():
            _left(event)


def _left(event: Left) -> None:
    log.warning(
        "removed from a workspace",
        platform=event.platform,
        workspace=event.workspace,
        closed=event.closed,
        waiting=event.waiting,
        kept="what was said there, until you delete it",
    )
