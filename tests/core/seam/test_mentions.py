"""Mentions: whatever somebody, or a role, is called, a mention names the one that it is of, and nobody else."""

import pytest

from bots.discord.markup import readable as on_discord
from bots.discord.names import Names
from bots.slack.markup import readable as on_slack
from core.policy import SETTINGS, Wrong
from core.seam.mentions import mention

NAMES = ["Ben", "x (U0EVE)", "x, everyone, @y (U0EVE)", "(U0EVE)", "x)(U0EVE", "x\n(U0EVE)", "everyone"]
READ = SETTINGS["may_set"].read


@pytest.mark.parametrize("name", NAMES)
def test_a_person_is_named_by_their_id_whatever_they_are_called(name: str) -> None:
    assert READ(on_slack("<@U0BEN>", {"U0BEN": name})) == {"U0BEN"}
    user = {"id": "4711", "username": name}
    assert READ(on_discord("<@4711>", {"mentions": [user]}, Names(me="1"))) == {"4711"}
    assert mention(name, "U0BEN").count("(") == 1


@pytest.mark.parametrize("name", NAMES)
def test_a_role_is_no_person_whatever_it_is_called(name: str) -> None:
    names = Names(me="1", role=lambda _: name)
    with pytest.raises(Wrong):
        READ(on_discord("<@&4711>", {}, names))
