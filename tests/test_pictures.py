"""The README's pictures show what people would see today: each conversation is held again."""

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from docs.picture import PICTURES, draw

DOCS = Path(__file__).parent.parent / "docs"
README = (DOCS.parent / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", PICTURES)
async def test_a_picture_is_what_is_seen_when_its_conversation_is_held(name: str) -> None:
    drawn = draw(await PICTURES[name]())

    ET.fromstring(drawn)
    assert (DOCS / f"{name}.svg").read_text(encoding="utf-8") == drawn, "`make pictures` draws it anew"
    assert f"](docs/{name}.svg)" in README
