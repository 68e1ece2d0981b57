"""What is stable of a window: where its parts end with which the next ones begin, for the provider's prompt cache."""

from collections.abc import Sequence

from core.model.llm import Message


def ends(messages: Sequence[Message], *, stays: bool, folded: int = 0) -> tuple[int, ...]:
    """Where they end, in messages from the first on; the last message is the question.

    Behind the first `folded` messages, which stand for turns; before the question before this one, and behind it, where
    the last window had its own; before this question; and at the very end, if it `stays` as it is.
    """
    asked = len(messages) - 1
    answered = max((place for place in range(asked) if messages[place].role == "assistant"), default=0)
    found = {folded, answered - 1, answered, asked, *([len(messages)] if stays else [])}
    return tuple(sorted(end for end in found if end > 0))
