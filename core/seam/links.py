"""Links: the addresses by which people open messages, as the doors write and read them."""

from dataclasses import dataclass
from re import compile as pattern
from urllib.parse import SplitResult, urlsplit

from core.seam.address import Address

_BRACKETED = pattern(r"<([^<>|\s]+)(?:\|[^<>]*)?>")


@dataclass(frozen=True, slots=True, kw_only=True)
class Linked:
    """The message that a link leads to, and where it stands, as far as the link tells.

    Of what stands in a thread a link may name the channel alone, or the thread in the place of a channel.
    """

    address: Address
    message: str

    def may_be_in(self, place: Address) -> bool:
        """Whether it may have been said in this place: where not, it certainly was said in another."""
        here, there = place, self.address
        if (there.platform, there.workspace) != (here.platform, here.workspace):
            return False
        return there.channel in (here.channel, here.thread) and there.thread in (None, here.thread)


def secure(words: str) -> SplitResult | None:
    """The https address that these words are, bare or in angle brackets, there with or without a label; else None."""
    said = words.strip()
    bracketed = _BRACKETED.fullmatch(said)
    address = bracketed[1] if bracketed else said
    if address.split() != [address]:
        return None
    try:
        found = urlsplit(address)
    except ValueError:
        return None
    return found if found.scheme == "https" and found.netloc else None
