"""What models cost: prices that are built in, and the operator's own beside them or in their place."""

import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path

from core.errors import ConfigurationError
from core.files import contents
from core.store.ledger import Spent

SETTING = "BACKSCROLL_PRICES_FILE"

_BUILT_IN = Path(__file__).with_name("prices.toml")
_MILLION = 1_000_000
_DEAREST = 1_000_000_000  # no price, size or factor is greater: what is, is mistyped
_DAY = re.compile(r"-\d{4}-\d\d-\d\d$")  # behind a model's name: which version of it has answered


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """US dollars for a million tokens: of what is read, found in the provider's cache, kept there, and written.

    A request that is `long`, by its tokens, costs so many times that.
    """

    input: float
    cached: float
    cache_write: float
    output: float
    long: float | None = None
    long_input: float = 1.0
    long_output: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """What each model costs, by its name."""

    known: Mapping[str, Price] = field(default_factory=dict)

    @property
    def steps(self) -> Collection[float]:
        """Sizes of a request, in tokens, above which any model is dearer."""
        return {price.long for price in self.known.values() if price.long is not None}

    def of(self, model: str) -> Price | None:
        """What this model costs, or the one of which it is a version with a date; None where nobody has said it."""
        return self.known.get(model) or self.known.get(_DAY.sub("", model))

    def named(self, model: str, *, asked: str) -> str:
        """The model that has answered, under the name by which its price is known.

        Servers may answer under another name than it was `asked` by, which is the one that the operator knows.
        """
        return asked if not model or (self.of(model) is None and self.of(asked) is not None) else model

    def cost(self, spent: Spent) -> float | None:
        """US dollars for these calls; None where the model's price is not known."""
        price = self.of(spent.model)
        return None if price is None else _cost(price, spent)

    def most(self, spent: Spent) -> float | None:
        """The same, by the dearest price of all where the model's is not known; None where none is."""
        price = self.of(spent.model)
        prices = self.known.values() if price is None else (price,)
        return max((_cost(one, spent) for one in prices), default=None)

    def step(self, shown: int) -> int:
        """The greatest of `steps` that so many tokens are above; 0 for none."""
        return int(max((step for step in self.steps if shown > step), default=0))


def _cost(price: Price, spent: Spent) -> float:
    is_long = price.long is not None and spent.above >= price.long
    plain = max(0, spent.shown - spent.cached - spent.cache_written)
    read = plain * price.input + spent.cached * price.cached + spent.cache_written * price.cache_write
    times = (price.long_input, price.long_output) if is_long else (1.0, 1.0)
    return (read * times[0] + spent.written * price.output * times[1]) / _MILLION


def read(path: Path | None) -> Prices:
    """The prices that are built in, and with them those of the operator's file. Raises ConfigurationError."""
    built_in = _parsed(_BUILT_IN.read_text(encoding="utf-8"))
    if path is None:
        return Prices(known=built_in)
    try:
        return Prices(known={**built_in, **_parsed(contents(SETTING.removesuffix("_FILE"), None, path) or "")})
    except ValueError as error:
        raise ConfigurationError(f"{SETTING}: {path}: {error}") from error


def _parsed(text: str) -> Mapping[str, Price]:
    """Raises ValueError."""
    try:
        told: Mapping[str, object] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"it is no TOML: {error}") from None
    return {model: _price(model, entry) for model, entry in told.items()}


def _price(model: str, entry: object) -> Price:
    if not isinstance(entry, Mapping):
        raise ValueError(f'{model} stands by itself: write ["MODEL"], and below it what it costs')  # noqa: TRY004
    names = {one.name: one.default is MISSING for one in fields(Price)}
    if strange := sorted(entry.keys() - names.keys()):
        nested = any(isinstance(entry[name], Mapping) for name in strange)
        hint = "put a name with dots in quotes" if nested else f"write {', '.join(names)}"
        raise ValueError(f"{model} has {strange[0]}, which is no part of a price: {hint}")
    if missing := [name for name, is_needed in names.items() if is_needed and name not in entry]:
        raise ValueError(f"{model} has no {missing[0]}: write 0 where it costs nothing")
    return Price(**{name: _number(model, name, value) for name, value in entry.items()})


def _number(model: str, name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _DEAREST:
        raise ValueError(f"{model} has {value!r} for {name}, which is no number from 0 to {_DEAREST:,}")
    return float(value)
