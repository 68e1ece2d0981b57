"""Slack: numbers are a chart where it takes one, and bars of text where it does not."""

from dataclasses import replace

import pytest

from bots.slack import SlackAdapter
from bots.slack.ticket import Ticket
from core.seam.messages import Chart, Reply
from tests.bots.slack.ear import asked
from tests.wire.slack import SlackStage
from tests.wire.slack.workspace import CHANNEL, Message

CHART = Chart(title="Tokens", numbers=(("turns", 9), ("room", 21)), words="```\nturns  9 ###\nroom  21 ...\n```")
TEXT = f"Before:\n{CHART.words}\n- after"


async def charted(stage: SlackStage, *, private: bool = False, key: str = "k") -> Reply:
    return replace(await asked(stage, TEXT, private=private, key=key), chart=CHART)


def kinds(message: Message) -> list[str]:
    return [block["type"] for block in message.blocks]


def newest(stage: SlackStage) -> Message:
    return stage.server.workspace.messages[-1]


@pytest.mark.parametrize("private", [True, False])
async def test_a_chart_stands_in_the_place_of_its_words(
    stage: SlackStage, adapter: SlackAdapter, *, private: bool
) -> None:
    await adapter.deliver(await charted(stage, private=private))
    before, drawn, after = newest(stage).blocks

    assert (before["text"], after["text"]) == ("Before:", "- after")
    assert drawn == {
        "type": "data_visualization",
        "title": "Tokens",
        "chart": {
            "type": "bar",
            "series": [
                {"name": "tokens", "data": [{"label": "turns", "value": 9}, {"label": "room", "value": 21}]},
            ],
            "axis_config": {"categories": ["turns", "room"]},
        },
    }
    assert "turns  9 ###" in newest(stage).text, "who has no pictures reads it"


@pytest.mark.parametrize(("method", "private"), [("chat.postMessage", False), ("chat.postEphemeral", True)])
async def test_once_slack_takes_no_chart_it_is_offered_none(
    stage: SlackStage, adapter: SlackAdapter, method: str, *, private: bool
) -> None:
    stage.server.fail(method, "invalid_blocks")
    await adapter.deliver(await charted(stage, private=private))
    assert (kinds(newest(stage)), newest(stage).seen) == (["markdown"], TEXT)

    await adapter.deliver(await charted(stage, private=private, key="k2"))
    assert (kinds(newest(stage)), newest(stage).seen) == (["markdown"], TEXT)
    assert stage.server.number_of(method) == 3, "two for the first, one for the second"


async def test_a_response_url_is_given_the_words(stage: SlackStage, adapter: SlackAdapter) -> None:
    ticket = Ticket(url=stage.server.response_url(CHANNEL, "U0ADA"), until=9e9).written()
    await adapter.deliver(replace(await charted(stage, private=True), ticket=ticket))

    assert (kinds(newest(stage)), newest(stage).seen) == (["markdown"], TEXT)


async def test_what_is_refused_for_another_reason_says_nothing_of_charts(
    stage: SlackStage, adapter: SlackAdapter
) -> None:
    stage.server.fail("chat.postEphemeral", "restricted_action")
    await adapter.deliver(await charted(stage, private=True))

    assert kinds(newest(stage)) == ["markdown", "data_visualization", "markdown"]


async def test_a_chart_without_its_words_is_left_out(stage: SlackStage, adapter: SlackAdapter) -> None:
    await adapter.deliver(replace(await charted(stage), text="All of it is said elsewhere."))

    assert kinds(newest(stage)) == ["markdown"]
