"""Charts: numbers that Slack draws by itself, in the place of the words that show them wherever it takes none."""

from dataclasses import replace

from structlog import get_logger

from bots.slack.api import Api
from bots.slack.errors import Refused
from bots.slack.payloads import PLATFORM, Payload
from bots.slack.replies import Arguments, blocks, short
from core.seam.messages import Chart, Reply

log = get_logger(platform=PLATFORM)

_TITLE, _CATEGORY = 50, 20
"""Characters of a chart's title and of a bar's name; docs.slack.dev/reference/block-kit/blocks."""


class Charts:
    """Acts as `Api` does, with a reply's chart: once Slack has not taken one, it is offered no more.

    A `response_url` is offered none, as it does not say why it refuses.
    """

    def __init__(self, api: Api) -> None:
        self._api = api
        self._cannot_draw = False

    async def show(
        self, method: str, reply: Reply, arguments: Arguments, plain: Arguments, *, lane: str = ""
    ) -> Payload:
        """See `Api.show`."""
        if (chart := self._chart(reply)) is not None:
            try:
                return await self._api.write(method, {**arguments, "blocks": drawn(reply, chart)}, lane=lane)
            except Refused as error:
                if not error.is_about_form:
                    raise
                self._cannot_draw = True
                log.info("no charts", reason=error.code)
        return await self._api.show(method, arguments, plain, lane=lane)

    def _chart(self, reply: Reply) -> Chart | None:
        chart = reply.chart
        return chart if chart is not None and chart.words in reply.text and not self._cannot_draw else None


def drawn(reply: Reply, chart: Chart) -> list[Arguments]:
    """The blocks of a message with the chart in the place of its words."""
    around = [part.strip("\n") for part in reply.text.split(chart.words, 1)]
    before, after = [[{"type": "markdown", "text": words}] if words else [] for words in around]
    return [*before, block(chart), *after, *blocks(replace(reply, text=""))]


def block(chart: Chart) -> Arguments:
    """Bars with their names; docs.slack.dev/reference/block-kit/blocks/data-visualization-block."""
    numbers = [(short(name, _CATEGORY), number) for name, number in chart.numbers]
    bars = {
        "type": "bar",
        "series": [{"name": "tokens", "data": [{"label": name, "value": number} for name, number in numbers]}],
        "axis_config": {"categories": [name for name, _ in numbers]},
    }
    return {"type": "data_visualization", "title": short(chart.title, _TITLE), "chart": bars}
