"""Covering: what a summary ends in, which says what it tells of."""

from datetime import datetime, tzinfo

from core.commands import moments
from core.memory.window import Window
from core.session import Fold


def told(window: Window, since: datetime | None, zone: tzinfo) -> str:
    """How much the model was shown for it, in this zone's time; nothing where it was shown nothing.

    With `since`, what was said from then on was asked for.
    """
    records = [one for one in window.checkpoints if one.kind is not Fold.STATE]
    began = [one.since for one in records] + ([] if window.oldest is None else [window.oldest])
    if not began:
        return ""
    moment = moments.told(since or datetime.fromtimestamp(min(began), zone))
    short = "" if window.since is None else "This session is longer than what I can read at once: "
    reaching = since is not None and min(began) < since.timestamp()
    counted = {
        "turn{}": window.turns - window.overheard - 1,
        "message{} that I overheard": window.overheard,
        "record{} of older ones" + (", from before that as well" if reaching else ""): len(records),
    }
    seen = [f"{number:,} {what.format('' if number == 1 else 's')}" for what, number in counted.items() if number]
    return f"\n\n_({short}{'this' if short else 'This'} tells of what was said since {moment}: {', '.join(seen)}.)_"
