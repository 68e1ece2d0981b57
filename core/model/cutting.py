"""Cutting: a text loses its middle so that it costs no more than it may."""

from core.model.tokens import Counter


def cut_middle(text: str, tokens: int, counter: Counter) -> str:
    """The text if it has at most `tokens` tokens; else its head and tail with a note between how much is left out.

    Never more than `tokens`. Where there is no room for the note, only as much of the head as fits.
    """
    total = counter.count(text)
    if total <= tokens:
        return text
    note = _note(total)
    room = tokens - counter.count(note) - 2
    if room < 2:
        return _fitting(text, tokens, counter)
    while True:
        head = _fitting(text, room - room // 2, counter)
        tail = _fitting(text[len(head) :], room // 2, counter, back=True)
        left = max(1, total - counter.count(head) - counter.count(tail))
        result = f"{head}{_note(left)}{tail}"
        over = counter.count(result) - tokens
        if over <= 0:
            return result
        room -= over


def _note(left: int) -> str:
    return f"\n[… {left} {'token' if left == 1 else 'tokens'} left out …]\n"


def _fitting(text: str, tokens: int, counter: Counter, *, back: bool = False) -> str:
    """As much of the head (or the tail) as has at most so many tokens, found in time that grows with what is kept."""
    tokens = max(0, tokens)
    step, size, room = 512, 0, tokens
    while step:
        part = _slice(text, size, size + step, back=back)
        cost = counter.count(part)
        if cost <= room and part:
            size, room = size + len(part), room - cost
        else:
            step //= 2
    kept = _slice(text, 0, size, back=back)
    while (cost := counter.count(kept)) > tokens:  # the parts may cost a little more together than apart
        size -= max(1, size * (cost - tokens) // cost)
        kept = _slice(text, 0, size, back=back)
    return kept


def _slice(text: str, start: int, end: int, *, back: bool) -> str:
    return text[max(0, len(text) - end) : len(text) - start] if back else text[start:end]
