"""Values that tests are made of."""

import itertools

from core.commands.table import Command, Cost, Parameter
from core.seam.address import Address
from core.seam.messages import Author, Inbound

ADA = Author(id="U1", name="Ada")
BEN = Author(id="U2", name="Ben")
HERE = Address(platform="console", workspace="local", channel="main")

SET = Command(
    name="set",
    help="Set a policy",
    parameters=(
        Parameter(name="name", help="Which", values=("zone", "persona")),
        Parameter(name="value", help="What it is to be", rest=True),
    ),
)
SUMMARIZE = Command(
    name="summarize",
    help="Post a summary",
    parameters=(Parameter(name="since", help="From when on", optional=True, named=True, rest=True),),
    cost=Cost.MODEL,
)
"""Commands that have parameters: two words, of which the last is all the rest; and one that is named."""

_ids = itertools.count(1)


def message(text: str = "hello", *, address: Address = HERE, author: Author = ADA, **facts: object) -> Inbound:
    """A message said directly to the bot, unless the facts say otherwise; each has an ID and a time of its own."""
    number = next(_ids)
    defaults: dict[str, object] = {"id": f"m{number}", "at": 1_700_000_000 + 10 * number, "direct": True}
    return Inbound(address=address, author=author, text=text, **(defaults | facts))  # type: ignore[arg-type]  # a test's shorthand
