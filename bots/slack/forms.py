"""Forms as Slack's modals, and what was filled into one, in our words; docs.slack.dev/surfaces/modals."""

from collections.abc import Mapping
from hashlib import sha256

from structlog import get_logger

from bots.slack.api import Api
from bots.slack.errors import Refused
from bots.slack.members import standing
from bots.slack.payloads import PLATFORM, Payload, Unreadable, View, identity, is_direct, part, word
from bots.slack.replies import Arguments
from bots.slack.ticket import Ticket
from core.commands.lines import Given, filled
from core.commands.table import COMMANDS
from core.seam.address import AddressError
from core.seam.forms import Field, Form
from core.seam.messages import Audience, Author, Choice, Filled, Inbound, Reply

log = get_logger(platform=PLATFORM)

FORM = "session_form"
_TITLE, _TEXT, _OPTION = 24, 3_000, 75
"""Characters of a title, of a text that is typed, and of an option; docs.slack.dev/reference/block-kit."""
_OPENED = "exchanged_trigger_id"
"""The trigger has opened a modal already."""


async def opened(api: Api, reply: Reply, form: Form) -> str | None:
    """Shows the form; its name, or None where Slack will not show it any more: a trigger is good for three seconds."""
    trigger = Ticket.read(reply.ticket).trigger
    try:
        await api.write("views.open", {"trigger_id": trigger, "view": modal(form)})
    except Refused as error:
        if error.code != _OPENED:
            log.info("no form", session=reply.address.id, reason=error.code)
            return None
    return f"form:{reply.key}"


def is_awaited(reply: Reply) -> bool:
    """Whether the asker has done something that may open a form."""
    return bool(Ticket.read(reply.ticket).trigger)


def modal(form: Form) -> Arguments:
    """The form as a view. What is longer than Slack lets anybody type is left to be said in words."""
    return {
        "type": "modal",
        "callback_id": FORM,
        "private_metadata": form.command,
        "title": _plain(form.title[:_TITLE]),
        "submit": _plain("Save"),
        "close": _plain("Cancel"),
        "blocks": [_input(field) for field in form.fields if len(field.value) <= _TEXT],
    }


def errors(reasons: Mapping[str, str]) -> Arguments:
    """What keeps a modal open, and says beneath each field what is wrong with it."""
    return {"response_action": "errors", "errors": dict(reasons)}


def submission(payload: Payload, view: View) -> Filled | None:
    """What somebody has changed in a modal of ours; None where it is not ours here, or nothing was changed."""
    shown = payload.get("view")
    if not isinstance(shown, Mapping) or shown.get("callback_id") != FORM:
        return None
    try:
        asked = Choice.read(word(shown, "private_metadata"))
    except AddressError as error:
        raise Unreadable("a form of no session") from error
    if asked.verb not in COMMANDS:
        raise Unreadable("a form of no command here")
    if asked.address.workspace != view.us.workspace:  # the app has asked there, and what was typed is theirs
        log.warning("form ignored", workspace=asked.address.workspace, ours=view.us.workspace)
        return None
    given = filled(asked.verb, asked.line, _held(part(part(shown, "state"), "values")))
    orders = {name: _order(one, f"{identity(shown, 'id')} {name}", asked, payload, view) for name, one in given.items()}
    return Filled(address=asked.address, orders=orders) if orders else None


def _order(given: Given, form: str, asked: Choice, payload: Payload, view: View) -> Inbound:
    """One command of the form. Sent again it is the same; changed once more, it is another one."""
    user = part(payload, "user")
    name = view.names.get(identity(user, "id")) or user.get("name") or user.get("username") or identity(user, "id")
    mark = sha256(f"{given.verb} {given.line}".encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return Inbound(
        address=asked.address,
        id=f"{form} {mark}",
        author=Author(id=identity(user, "id"), name=str(name)),
        text=given.line,
        at=view.now,
        audience=Audience.BOT,
        direct=is_direct(asked.address.channel),
        verb=given.verb,
        standing=standing(word(user, "id"), {"team": user.get("team_id")}, asked.address.workspace, view),
        public=view.public,
    )


def _held(values: Payload) -> Mapping[str, str]:
    """What each field holds, by its ID: its block has its name, for Slack's errors, and its element the ID."""
    return {
        known: str(_value(element) or "")
        for block in values.values()
        for known, element in (block.items() if isinstance(block, Mapping) else ())
    }


def _value(element: Payload) -> object:
    if element.get("type") == "static_select":
        return (element.get("selected_option") or {}).get("value")
    return element.get("value")


def _input(field: Field) -> Arguments:
    hint = {"hint": _plain(field.hint)} if field.hint else {}
    element = _menu(field) if field.choices else _box(field)
    return {
        "type": "input",
        "block_id": field.name,
        "optional": True,
        "label": _plain(field.label),
        **hint,
        "element": element | {"action_id": field.id},
    }


def _box(field: Field) -> Arguments:
    box: Arguments = {
        "type": "plain_text_input",
        "multiline": field.lines,
        "max_length": min(max(field.most, len(field.value)), _TEXT),
    }
    return box | ({"initial_value": field.value} if field.value else {})


def _menu(field: Field) -> Arguments:
    options = [{"text": _plain(one), "value": one} for one in field.choices if len(one) <= _OPTION]
    chosen = next((one for one in options if one["value"] == field.value), None)
    return {"type": "static_select", "options": options, **({"initial_option": chosen} if chosen else {})}


def _plain(words: str) -> Arguments:
    return {"type": "plain_text", "text": words, "emoji": False}
