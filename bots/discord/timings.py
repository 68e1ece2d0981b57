"""How long things take at Discord's door: its own waits, in one value that is handed in, so that a test can hurry.

What Discord itself fixes stands where it is kept: how long a ticket is good for, how often one may identify (`gate`).
"""

from dataclasses import dataclass

from core.seam.keeping import PAUSES


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """All in seconds."""

    # Hearing
    longest_pause: float = 300.0
    """Between two gateway connections that failed: 288 a day, while 1,000 are allowed."""
    long_life: float = 600.0
    """A connection that lived this long was a good one: the pauses begin anew."""
    begun: float = 90.0
    """How long a gateway may take to begin or resume a session, its socket included, before another one is asked for:
    the library waits for as long as the heartbeats are answered."""
    told: float = 5.0
    """How long to wait for what the gateway has not told yet, and when to ask again."""
    settle: float = 5.0
    """What is on its way when we stop is given this long to be stored."""
    store: float = 2.2
    """How long a command may take to be stored before it is acknowledged all the same; Discord waits 3."""
    again: tuple[float, ...] = PAUSES
    """Between two tries to have an event stored, and to learn which channel it is of."""

    # Reading
    history: float = 60.0
    """How long one page of a history may take: the library waits for rate limits."""
    opening: float = 1.0
    """How long a thread's opening may take; what else was said is not to be lost over it."""

    # Posting
    patience: float = 40.0
    """How long one delivery may take: the library's five tries of a 5xx (25 s), or one rate limit (30 s).

    A process may lose its session meanwhile, and whoever has it then posts with the same nonce: one message comes of
    it.
    """
    silence: float = 15.0
    """How long one request may be told nothing: what came of it is looked for then."""
    preview: float = 15.0
    """A preview that takes longer is given up, so that the final text need not wait for it."""
    oldest_edit: float = 55 * 60.0
    """Messages older than an hour take only a few edits (30046); previews stop before."""
    typing: float = 7.0
    """Typing shows for ten seconds (resources/channel); more often than this it is not sent."""
    deferred: float = 5.0
    """So long after a command, an unknown webhook may mean that another process has not acknowledged it yet."""
