"""Draws `docs/conversation.svg`, the README's picture: a conversation that is really held.

    .venv/bin/python -m docs.picture

Slack's client talks to a Slack on loopback, the core keeps the session in a database that is restarted in between, and
what is drawn is what that Slack has on screen. Only the model's words are written down here.
"""

import asyncio
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path
from re import sub
from textwrap import wrap

import migrations
from core.store import connect
from tests.talk import Running
from tests.wire.openai import OpenAIServer, Request
from tests.wire.slack import SlackStage

WORDS = {
    "changelog": "Got it: the launch moves to **Thursday**, and Ben owns the changelog.",
    "left for me": "Just the **changelog**, Ben. Ada moved the launch to Thursday, so that is all.",
    "Summarize": "- The launch is on **Thursday** (Ada)\n- Ben writes the **changelog**\n- Open: who announces it",
}
PEOPLE = {"ada": ("Ada", "#7c3aed"), "ben": ("Ben", "#0f766e"), "": ("Backscroll", "#1d4ed8")}
WIDTH, LINE, COLUMNS = 760, 20, 84


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One message of the picture."""

    who: str
    text: str
    private: bool = False


def answer(request: Request) -> str:
    """What the model says to this."""
    return next((words for cue, words in WORDS.items() if cue in request.last), "Yes.")


async def hold() -> list[Said | str]:
    """The conversation, and what happened in between."""
    held: list[Said | str] = []
    with tempfile.TemporaryDirectory(prefix="backscroll-") as folder:
        url = f"sqlite:///{folder}/picture.db"
        database = connect(url)
        await database.write(migrations.upgrade)
        await database.close()
        async with SlackStage() as stage, OpenAIServer(answer=answer) as model:

            async def say(who: str, text: str, *, mention: bool = False) -> None:
                seen = len([shown for shown in stage.shown() if shown.done])
                await stage.say(text, author=who)
                await stage.until(lambda: len([shown for shown in stage.shown() if shown.done]) > seen)
                shown = stage.shown()[-1]
                held.append(Said(who=who, text=f"@Backscroll {text}" if mention else text))
                held.append(Said(who="", text=shown.text, private=shown.private))

            async with Running(url, model, stage, openai_model="gpt-5.4-mini"):
                await say("ada", "we move the launch to Thursday. Ben takes the changelog.", mention=True)
            held.append("Backscroll is restarted")
            async with Running(url, model, stage, openai_model="gpt-5.4-mini"):
                await say("ben", "sorry, I was away. What is left for me?")
                await say("ada", "!summarize")
                await say("ben", "!status")
    return held


def draw(held: list[Said | str]) -> str:
    """The conversation as SVG."""
    rows = list(_rows(held))
    height = rows[-1][0] + 28
    body = "\n".join(row for _, row in rows)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'font-family="-apple-system, Segoe UI, Helvetica, Arial, sans-serif" font-size="14" fill="#1d1c1d">\n'
        f'<rect width="{WIDTH}" height="{height}" rx="10" fill="#ffffff" stroke="#d4d4d8"/>\n{body}\n</svg>\n'
    )


def _rows(held: list[Said | str]) -> Iterator[tuple[int, str]]:
    top = 26
    for said in held:
        if isinstance(said, str):
            yield top + 8, f'<text x="{WIDTH / 2}" y="{top + 8}" text-anchor="middle" fill="#a1a1aa">— {said} —</text>'
            top += 38
            continue
        name, colour = PEOPLE[said.who]
        app = '<tspan fill="#71717a" font-weight="400" font-size="11"> APP</tspan>' if not said.who else ""
        yield top, f'<rect x="22" y="{top - 10}" width="34" height="34" rx="7" fill="{colour}"/>'
        yield top, f'<text x="39" y="{top + 13}" text-anchor="middle" fill="#fff" font-weight="600">{name[0]}</text>'
        yield top, f'<text x="70" y="{top + 2}" font-weight="700">{name}{app}</text>'
        if said.private:
            top += LINE
            yield top, f'<text x="70" y="{top}" fill="#71717a" font-size="12">Only visible to you</text>'
        for line in said.text.splitlines():
            for part in wrap(sub(r"^- ", "•  ", line), COLUMNS) or [""]:
                top += LINE
                yield top, f'<text x="70" y="{top}">{_marked(part)}</text>'
        top += 36
    yield top - 36, ""


def _marked(line: str) -> str:
    line = sub(r"@Backscroll", '<tspan fill="#1d4ed8">@Backscroll</tspan>', escape(line))
    line = sub(r"\*\*(.+?)\*\*", r'<tspan font-weight="700">\1</tspan>', line)
    return sub(r"`(.+?)`", r'<tspan font-family="monospace" fill="#be123c">\1</tspan>', line)


if __name__ == "__main__":
    Path(__file__).with_name("conversation.svg").write_text(draw(asyncio.run(hold())), encoding="utf-8")
