"""How long things take at Slack's door: its own waits, in one value that is handed in, so that a test can hurry.

What Slack itself fixes stands where it is kept: how long a ticket is good for, how many calls a minute are allowed.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """All in seconds."""

    call: float = 10.0
    """How long a call of the Web API may take."""

    # Hearing
    first_pause: float = 1.0
    """Between the first two attempts to learn who we are, or to have a socket, while Slack is out of reach; doubles."""
    longest_pause: float = 30.0
    """The longest of these; where Slack asks for a longer one, it is that."""
    long_life: float = 60.0
    """A socket that lived so long was a good one: the pauses begin anew."""
    ping: float = 5.0
    """A socket that goes away unnoticed is noticed after three times this."""
    settle: float = 1.0
    """What is being taken in when we stop is given this long to be acknowledged."""
    turn: float = 2.0
    """How long what was said waits for what was said before it; by then Slack wants its acknowledgement."""
    names: float = 1.0
    """How long names may take: somebody waits for the acknowledgement meanwhile."""
    fresh: float = 3_600.0
    """How long a name is believed."""
    sour: float = 60.0
    """How long a name that could not be had is not asked for again."""

    seen: float = 60.0
    """How long it is believed that a channel is public, or is not."""

    # Reading
    read_on: float = 1.0
    """For how long a thread is read on towards its end: an answer waits for it."""

    # Posting
    edit: float = 3.0
    """Slack asks for no more than one chat.update of a message in 3 s; docs.slack.dev/ai/developing-agents."""
    status: float = 60.0
    """Between two signs that we are at work: Slack takes one back after two minutes."""
    young: float = 20.0
    """A stream that is younger may still be begun by a later answer, so that nobody can tell whose it is."""
