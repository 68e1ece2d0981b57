"""Accounts: what people are told of an erasure, what is gone and what is not; they call it the receipt."""

from core.store.erasures import Counts, Erasure, Leftovers, Scope


def told(erasure: Erasure, leftovers: Leftovers) -> str:
    """The receipt, as Markdown."""
    gone = listed(erasure.counts)
    erased = f"Erased: {gone}." if gone else "There was nothing of it to be erased."
    return "\n\n".join((f"I have forgotten {_subject(erasure)}. {erased}", _left(erasure), _traces(erasure, leftovers)))


def listed(counts: Counts) -> str:
    """What is gone so far, in a line; empty where nothing is."""
    said = (
        _many(counts.messages, "message"),
        _many(counts.answers, "answer") and f"{_many(counts.answers, 'answer')} of mine",
        _many(counts.shortened, "answer") and f"sentences of {_many(counts.shortened, 'answer')} to others",
        _many(counts.quotes, "quote") and f"{_many(counts.quotes, 'quote')} in others' messages",
        _many(counts.records, "summary or record", "summaries and records"),
        _many(counts.preferences, "person's preferences", "people's preferences"),
        _many(counts.calls, "call") and f"the name in {_many(counts.calls, 'call')} of the model",
        _many(counts.keys, "key"),
    )
    return ", ".join(one for one in said if one)


def _many(number: int, one: str, more: str = "") -> str:
    return "" if number == 0 else f"{number:,} {one if number == 1 else more or f'{one}s'}"


def _subject(erasure: Erasure) -> str:
    match erasure.scope:
        case Scope.PERSON:
            return "you" if erasure.asked is not None else f"{erasure.subject}"
        case Scope.WORKSPACE:
            return "this workspace"
        case Scope.SESSION | Scope.CHANNEL:
            return f"this {erasure.scope.value}"


def _left(erasure: Erasure) -> str:
    """What is not gone."""
    screen = "what stands on people's screens, which is theirs to delete"
    if erasure.scope is Scope.WORKSPACE:
        keys = "the IDs by which keys are named; " if erasure.counts.keys else ""
        return f"Not erased: {keys}{screen}; how much was spent; the IDs of places, and of who did what in the audit."
    if not erasure.is_of_person:
        return (
            f"Not erased: {screen}; what was overheard, or forwarded, in places that are none of this; and the IDs of "
            "those for whom something was spent here, and of who did what in the audit."
        )
    keys = "the ID by which keys are named; " if erasure.counts.keys else ""
    return (
        f"Not erased: {keys}how much was spent this week and this month, under a hash of the ID, until they are over; "
        "the ID of who did what in the audit; "
        f"what others have written or quoted in their own words, names in it included; {screen}; "
        "and settings of channels and of the workspace. What is said from now on is a new beginning."
    )


def _traces(erasure: Erasure, leftovers: Leftovers) -> str:
    """Where it may still be."""
    copies = "Backups that were made before still hold it."
    if erasure.counts.keys:
        it = "the words themselves" if erasure.is_of_person else "it"
        others = (
            "; but answers of mine and records that tell of them by one that is not" if erasure.is_of_person else ""
        )
        copies = (
            f"Backups that were made before, without the table `data_keys`, hold {it} sealed by a key that is "
            f"destroyed{others}."
        )
    match leftovers:
        case Leftovers.A_MINUTE:
            return f"Within a minute it has left the database's files. {copies}"
        case Leftovers.VACUUM:
            return f"PostgreSQL keeps dead rows until the next VACUUM, and its log as long as it is set to. {copies}"
