"""The journal: one line in the log for what happened, where people rely on such a line."""

import structlog

from core.events import (
    Accepted,
    Answered,
    Closed,
    Deleted,
    Delivered,
    Edited,
    Event,
    Folded,
    FoldRefused,
    GaveUp,
    Left,
    OfTurns,
    QuestionChanged,
    Refused,
    Skipped,
    TimedOut,
    TurnedAway,
    Woken,
)

log = structlog.get_logger()


def note(event: Event) -> None:
    """Writes the event's line. Subscribes to `Events`."""
    match event:
        case Skipped():
            log.warning("skipped", session=event.address.id, messages=event.messages)
        case TurnedAway():
            log.info("turned away", session=event.address.id, reason=event.reason, told=event.told)
        case Edited():
            log.info("edited", session=event.address.id)
        case Deleted():
            log.info("deleted", session=event.address.id)
        case Closed():
            kept = "nothing" if event.gone else "words"
            log.info("closed", session=event.address.id, waiting=event.waiting, kept=kept)
        case Left():
            _left(event)
        case TimedOut():
            log.debug("session timed out", session=event.address.id, seconds=round(event.seconds))
        case Woken():
            log.info("woken", session=event.address.id, seconds=round(event.seconds), late=event.late)
        case Folded() | FoldRefused():
            _fold(event)
        case _:
            _turn(event)


def _turn(event: OfTurns) -> None:
    session = event.address.id
    match event:
        case Accepted():
            log.debug("accepted", session=session, to_be_answered=event.to_be_answered)
        case Answered():
            log.info("answered", session=session, command=event.command, seconds=round(event.seconds, 1))
        case Delivered():
            log.debug("delivered", session=session, command=event.command, seconds=round(event.seconds, 1))
        case Refused():
            pass  # whoever was refused has said why
        case GaveUp():
            log.error("given up", session=session, attempts=event.attempts, deaths=event.deaths)
        case QuestionChanged():
            log.info("question changed", session=session)


def _fold(event: Folded | FoldRefused) -> None:
    session = event.address.id
    match event:
        case Folded():
            log.info("folded", session=session, tokens=event.tokens, texts=event.texts, seconds=round(event.seconds, 1))
        case FoldRefused():
            log.warning("not folded", session=session, reason=event.reason, failures=event.failures)


def _left(event: Left) -> None:
    log.warning(
        "removed from a workspace",
        platform=event.platform,
        workspace=event.workspace,
        closed=event.closed,
        waiting=event.waiting,
        kept="nothing: what was said there is being erased",
    )
