"""Disguises: what a text looks like to a reader, whatever characters it is written in."""

from re import compile as pattern
from unicodedata import category, normalize

_LOOKS = str.maketrans(
    {
        **dict.fromkeys("【〔〖〚⟦⦋❲⁅「『﹇", "["),
        **dict.fromkeys("】〕〗〛⟧⦌❳⁆」』﹈", "]"),
        **dict.fromkeys("⟮❨⦅⁽₍﴾", "("),
        **dict.fromkeys("⟯❩⦆⁾₎﴿", ")"),
        **dict.fromkeys("‹«〈《⟨❬❮⟪", "<"),
        **dict.fromkeys("›»〉》⟩❭❯⟫", ">"),
        **dict.fromkeys("¦ǀ∣❘", "|"),
        **dict.fromkeys("‘’ʼ", "'"),
    }
)
_CONTROL = pattern(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_UNSEEN = pattern(r"[\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]+")


def bare(text: str) -> str:
    """The text as it is held against our patterns: in small letters, one line, without what nobody sees.

    Brackets that look like ours have become ours; so no full-width bracket and no mark for writing from right to left
    hides a forgery.
    """
    if not text.isascii():
        text = normalize("NFKC", text).translate(_LOOKS)
        text = "".join(one for one in text if category(one) != "Cf")
    return " ".join(_CONTROL.sub(" ", text).split()).casefold()


def line(text: str) -> str:
    """The text in one line, without control characters and marks that turn the direction of writing.

    What joins the characters of a word or an emoji stays.
    """
    return " ".join(_UNSEEN.sub("", _CONTROL.sub(" ", text)).split())
