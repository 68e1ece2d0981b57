"""What is kept of an unreadable event can be looked at by anybody: nobody can answer in our name with it."""

import json

import pytest

from core.seam import evidence


@pytest.mark.parametrize("name", ["token", "response_url", "trigger_id", "ticket"])
def test_no_secret_is_kept_however_deep_it_is(name: str) -> None:
    event = {name: "s3cret", "parts": [{"in": {name: ["s3cret"], "x": "y"}}], "text": f"{name} is a word"}

    kept = json.loads(evidence.kept(json.dumps(event)))

    assert kept == {"parts": [{"in": {"x": "y"}}], "text": f"{name} is a word"}
