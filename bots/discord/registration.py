"""`/session VERB`: the table of commands as one application command, and whether Discord knows it already.

Beside it stand the commands that are about one message, in its menu. All are compared with what Discord has, and
written only when that differs: 200 creations a day are allowed, and every replica and every restart would spend one
otherwise. Nothing needs to be remembered for that.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import structlog

from bots.discord.api import Api
from bots.discord.errors import Trouble
from bots.discord.library import HTTPException
from bots.discord.payloads import PLATFORM
from core.commands.table import COMMANDS, Command, Parameter, Shown, Table

log = structlog.get_logger(platform=PLATFORM)

NAME = "session"

_CHAT_INPUT, _MESSAGE = 1, 3
_SUBCOMMAND, _STRING = 1, 3
_GUILD, _BOT_DM = 0, 1
_INSTALLED_IN_GUILD = 0
_REACH = {"contexts": [_GUILD, _BOT_DM], "integration_types": [_INSTALLED_IN_GUILD]}


async def register(api: Api) -> None:
    """Tells Discord our commands where it does not know them; without them, mentions still work."""
    try:
        commands = overwrite(await api.commands())
        if commands is not None:
            await api.commands(commands)
            log.info("commands registered")
    except Trouble as error:
        why = {"status": error.status, "code": error.code} if isinstance(error, HTTPException) else {}
        log.warning("commands not registered", error=type(error).__name__, **why)


def group(commands: Table = COMMANDS) -> dict[str, Any]:
    """The command as Discord wants it (interactions/application-commands)."""
    return {
        "name": NAME,
        "type": _CHAT_INPUT,
        "description": "What I remember of this place, and what to do with it",
        **_REACH,
        "options": [_subcommand(command) for command in commands.values() if Shown.SLASH in command.shown],
    }


def menu(commands: Table = COMMANDS) -> list[dict[str, Any]]:
    """The entries of a message's menu. What is done to a session has none: `/session` knows its place here."""
    named = (command.menu for command in commands.values() if command.menu is not None and command.link is not None)
    return [{"name": name, "type": _MESSAGE, **_REACH} for name in named]


def _subcommand(command: Command) -> dict[str, Any]:
    ordered = sorted(command.parameters, key=lambda parameter: parameter.optional or parameter.flag)
    options = [_option(parameter) for parameter in ordered]
    return {"type": _SUBCOMMAND, "name": command.name, "description": command.help, "options": options}


def _option(parameter: Parameter) -> dict[str, Any]:
    option = {"type": _STRING, "name": parameter.name, "description": parameter.help}
    option |= {} if parameter.optional or parameter.flag else {"required": True}
    values = (parameter.name,) if parameter.flag else parameter.values
    return option | ({"choices": [{"name": one, "value": one} for one in values]} if values else {})


def overwrite(present: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]] | None:
    """All commands that the application shall have; None when it has ours already, word for word.

    What others registered for the same application is kept: a bulk overwrite deletes everything that it does not name.
    """
    ours = [group(), *menu()]
    names = [(command["name"], command["type"]) for command in ours]
    same_name = [command for command in present if (command["name"], command.get("type", _CHAT_INPUT)) in names]
    if all(any(_says(command, one) for command in same_name) for one in ours):
        return None
    return [*(command for command in present if command not in same_name), *ours]


def _says(theirs: object, ours: object) -> bool:
    """Whether Discord's copy says what ours does; it adds fields, and leaves out what is empty."""
    if isinstance(ours, dict):
        return isinstance(theirs, Mapping) and all(_says(theirs.get(key), value) for key, value in ours.items())
    if isinstance(ours, list):
        present = theirs if isinstance(theirs, list) else []
        return len(present) == len(ours) and all(map(_says, present, ours))
    return theirs == ours
