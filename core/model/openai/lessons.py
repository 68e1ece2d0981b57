"""What a refusal or an answer teaches of a server, as the manners that are news."""

from collections.abc import Mapping

from core.errors import ModelFailed, ModelRefused, WindowTooLong
from core.model.openai import asking, wordings
from core.model.openai.complaints import Complaint
from core.model.openai.fields import text
from core.model.openai.judging import judge, template_refuses, unwanted
from core.model.openai.manners import Manners
from core.model.openai.reading import Reading


def of_refusal(heard: Complaint, fields: Mapping[str, object], manners: Manners) -> dict[str, object]:
    """What the server will not have of a request with these fields; nothing where it is about something else."""
    if isinstance(judge(heard), WindowTooLong | ModelRefused | ModelFailed) or heard.status in {401, 402, 429}:
        return {}
    field = unwanted(heard, {**fields, "stream": True} if manners.streams else fields)
    if field == "stream":
        return {"streams": False}
    if field is not None:
        return {"refused": manners.refused | {_of_value(heard, field, fields) or field}}
    return _of_template(heard, manners) if template_refuses(heard) else {}


def _of_value(heard: Complaint, field: str, fields: Mapping[str, object]) -> str | None:
    """The field with its value, where that is how hard to think and the server tells how hard the model can."""
    if field not in wordings.EFFORT or not ("unsupported_value" in heard.names or wordings.EFFORTS.search(heard.words)):
        return None
    return asking.with_value(field, text(fields, field) or text(fields, field, "effort"))


def _of_template(heard: Complaint, manners: Manners) -> dict[str, object]:
    """First the roles take turns, then there is no role for instructions, unless it is that one which is named."""
    named = wordings.INSTRUCTIONS_WORDS.search(heard.words) and "altern" not in heard.words
    if not manners.turns and not (manners.system and named):
        return {"turns": True}
    return {"system": False} if manners.system else {}


def of_answer(reading: Reading, manners: Manners) -> dict[str, object]:
    """What an answer, whole or not, has shown."""
    news: dict[str, object] = {"thinks": True} if reading.thinks else {}
    unopened = reading.cleaner.unopened
    if unopened != manners.in_thought and (reading.spoken or unopened):
        news["in_thought"] = unopened
    return news
