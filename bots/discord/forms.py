"""Forms as Discord's modals, and what was filled into one, in our words (components/reference).

A modal has five fields at most. So the form of a command is offered as a menu of its fields, of which people choose
what they want to change.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from bots.discord.members import standing
from bots.discord.names import name
from bots.discord.payloads import THREADS, Payload, channel_of, instant, rejected, snowflake, token_of
from bots.discord.ticket import LIFETIME, Ticket
from core.commands.lines import Given, asks_for_form, filled
from core.commands.table import COMMANDS, find
from core.seam.address import DIRECT, Address, AddressError
from core.seam.evidence import UNREADABLE
from core.seam.forms import Field, Form
from core.seam.messages import Audience, Author, Choice, Filled, Inbound, Rejected

FIELDS = 5
_ROW, _BUTTON, _MENU, _INPUT, _LABEL = 1, 2, 3, 4, 18
_SECONDARY, _LINE, _LINES = 2, 1, 2
_TITLE, _NAME, _HINT, _ID, _OPTION, _TEXT = 45, 45, 100, 100, 100, 4_000
"""Characters of a modal's title, a label, what stands beneath it, a custom ID, an option, and of what is typed."""
_BUTTONS = 5  # in a row


def components(choices: Sequence[Choice]) -> list[dict[str, Any]]:
    """What may be pressed beneath a message; each says its whole command, so that it works after a restart as well."""
    fitting = [choice for choice in choices if len(choice.command) <= _ID]
    menus = [choice for choice in fitting if asks_for_form(choice.verb, choice.line)]
    buttons = [_button(choice) for choice in fitting if choice not in menus][:_BUTTONS]
    return [_row(buttons)] * bool(buttons) + [_row([_menu(choice)]) for choice in menus]


def modal(form: Form, wanted: Sequence[str]) -> dict[str, Any]:
    """The form as a modal, with the fields that are wanted, or the first ones."""
    fields = [field for field in form.fields if not wanted or field.name in wanted]
    return {
        "custom_id": form.command,
        "title": form.title[:_TITLE],
        "components": [_labelled(field) for field in fields[:FIELDS]],
    }


def here(asked: str, payload: Payload) -> Choice | None:
    """The command that a component of ours says, if it is one of this place; None of others."""
    try:
        choice = Choice.read(asked)
    except AddressError:
        return None
    return choice if _is_of(choice.address, payload) and choice.verb in COMMANDS else None


def _is_of(place: Address, payload: Payload) -> bool:
    """Whether this is the place; of a thread also the channel around it, by which it is known what is set there."""
    if (place.workspace, channel_of(place)) != (payload.get("guild_id") or DIRECT, payload["channel_id"]):
        return False
    told = payload.get("channel") or {}
    if "type" not in told:
        return True
    return (place.channel if place.thread else None) == (told.get("parent_id") if told["type"] in THREADS else None)


def submission(payload: Payload) -> Filled | Rejected | None:
    """What somebody has changed in a modal of ours; None where it is not ours, or nothing was changed."""
    try:
        data = payload["data"]
        asked = here(str(data.get("custom_id")), payload)
        if asked is None:
            return None
        given = filled(asked.verb, asked.line, dict(_held(data["components"])))
        orders = {field: _order(one, field, asked, payload) for field, one in given.items()}
        return Filled(address=asked.address, orders=orders) if orders else None
    except UNREADABLE as error:
        return rejected(payload, error)


def again(payload: Payload) -> list[dict[str, Any]]:
    """The menu of the form that was filled in: a menu above may not let anybody choose the same once more."""
    asked = here(payload["data"]["custom_id"], payload)
    return components([replace(asked, label="Change…")]) if asked is not None else []


def refusal(form: Filled, reasons: Mapping[str, str]) -> str:
    """Why nothing of a form was done, and all that was written into it, as it can be said again."""
    said = "\n".join(f"!{order.verb} {order.text}" for order in form.orders.values())
    why = "\n".join(f"- `{field}`: {reason}" for field, reason in reasons.items())
    return f"I have changed nothing:\n{why}\n\nThis is what you wrote:\n{said}"


def _order(given: Given, field: str, asked: Choice, payload: Payload) -> Inbound:
    member = payload.get("member")
    user = member["user"] if member else payload["user"]
    ticket = Ticket(
        app=snowflake(payload["application_id"]),
        token=token_of(payload),
        until=instant(payload["id"]) + LIFETIME,
        private=find(given.verb).private,
        many=True,
    )
    return Inbound(
        address=asked.address,
        id=f"{snowflake(payload['id'])} {field}",
        author=Author(id=snowflake(user["id"]), name=name(user, member), is_bot=bool(user.get("bot"))),
        text=given.line,
        at=instant(payload["id"]),
        audience=Audience.BOT,
        direct="guild_id" not in payload,
        verb=given.verb,
        standing=standing(payload, asked.address),
        ticket=ticket.write(),
    )


def _held(labels: Sequence[Payload]) -> Iterator[tuple[str, str]]:
    """The ID of each field, and what it holds."""
    for label in labels:
        field = label["component"]
        chosen = field.get("values", ())
        yield field["custom_id"], str(field["value"]) if "value" in field else "".join(chosen)


def _labelled(field: Field) -> dict[str, Any]:
    hint = {"description": _short(field.hint, _HINT)} if field.hint else {}
    inner = _select(field) if field.choices else _box(field)
    return {
        "type": _LABEL,
        "label": _short(field.label, _NAME),
        **hint,
        "component": inner | {"custom_id": field.id, "required": False},
    }


def _box(field: Field) -> dict[str, Any]:
    return {
        "type": _INPUT,
        "style": _LINES if field.lines else _LINE,
        "value": field.value,
        "max_length": min(max(field.most, len(field.value)), _TEXT),
    }


def _select(field: Field) -> dict[str, Any]:
    choices = [one for one in field.choices if len(one) <= _OPTION]
    options = [{"label": one, "value": one, "default": one == field.value} for one in choices]
    return {"type": _MENU, "options": options, "min_values": 0, "max_values": 1}


def _button(choice: Choice) -> dict[str, Any]:
    return {"type": _BUTTON, "style": _SECONDARY, "label": choice.label, "custom_id": choice.command}


def _menu(choice: Choice) -> dict[str, Any]:
    options = [{"label": field, "value": field} for field in find(choice.verb).fields]
    return {
        "type": _MENU,
        "custom_id": choice.command,
        "placeholder": choice.label,
        "options": options,
        "min_values": 1,
        "max_values": min(FIELDS, len(options)),
    }


def _row(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {"type": _ROW, "components": list(parts)}


def _short(words: str, most: int) -> str:
    return words if len(words) <= most else f"{words[: most - 1]}…"
