"""Discord's REST API v10 on loopback, as far as a bot that talks needs it, with its limits and its refusals."""

import json
import time
from asyncio import Event, Task, create_task, sleep, wait
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

from aiohttp import web

from tests.wire.discord_gateway import Gateway
from tests.wire.discord_world import (
    COMPONENT,
    EPHEMERAL,
    SUBMISSION,
    THREAD,
    Interaction,
    Kept,
    Payload,
    Refused,
    Request,
    World,
)
from tests.wire.endless import ENDLESS, endless
from tests.wire.faults import Fault, Faults, faultless, page

BASE = "/api/v10"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Rest:
    """The handlers, and before them: the record of requests, the faults, the token, the rate limits.

    `faults` is asked about every request: "METHOD /route/{template}" and its JSON. `close` ends what is late or hangs.
    `weighs` is told of each request, verb and path and body, before any of that.
    `spoil` has the last word on each answer: given the request's verb and path, and the body.
    """

    def __init__(self, world: World, gateway: Gateway, change: Callable[[], Awaitable[None]]) -> None:
        self.world = world
        self.gateway = gateway
        self.change = change
        self.typed: list[str] = []
        self.faults: Faults = faultless
        self.spoil: Callable[[str, str], str] = lambda line, body: body
        self.weighs: Callable[[str, object], None] = lambda line, body: None
        self.hung = Event()
        self._late: set[Task[None]] = set()
        self._windows: dict[str, list[float]] = {}

    def routes(self) -> list[web.RouteDef]:
        channel, hook = f"{BASE}/channels/{{channel}}", f"{BASE}/webhooks/{{app}}/{{token}}"
        commands = f"{BASE}/applications/{{app}}/commands"
        return [
            web.get(f"{BASE}/users/@me", self._me),
            web.get(f"{BASE}/applications/@me", self._application),
            web.get(f"{BASE}/oauth2/applications/@me", self._application),
            web.get(f"{BASE}/gateway", self._gateway),
            web.get(f"{BASE}/gateway/bot", self._gateway),
            web.get(f"{BASE}/guilds/{{guild}}", self._guild),
            web.get(f"{BASE}/guilds/{{guild}}/members/{{user}}", self._member),
            web.get(commands, self._commands),
            web.put(commands, self._overwrite),
            web.get(channel, self._channel),
            web.patch(channel, self._modify),
            web.get(f"{channel}/thread-members/{{user}}", self._thread_member),
            web.get(f"{channel}/messages", self._history),
            web.get(f"{channel}/messages/{{message}}", self._message),
            web.post(f"{channel}/messages", self._create),
            web.patch(f"{channel}/messages/{{message}}", self._edit),
            web.delete(f"{channel}/messages/{{message}}", self._delete),
            web.put(f"{channel}/messages/{{message}}/reactions/{{emoji}}/@me", self._react),
            web.delete(f"{channel}/messages/{{message}}/reactions/{{emoji}}/@me", self._unreact),
            web.post(f"{channel}/typing", self._typing),
            web.post(f"{BASE}/interactions/{{id}}/{{token}}/callback", self._callback),
            web.patch(f"{hook}/messages/@original", self._edit_original),
            web.delete(f"{hook}/messages/@original", self._delete_original),
            web.post(hook, self._follow_up),
            web.get("/cdn/attachments/{channel}/{file}/{name}", self._file),
        ]

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if not request.path.startswith(BASE):
            return await handler(request)
        text = await request.text()
        path = request.path.removeprefix(BASE)
        asked = Request(method=request.method, path=path, body=json.loads(text) if text else dict(request.query))
        self.world.requests.append(asked)
        self.weighs(f"{request.method} {path}", asked.body)
        try:
            response = await self._answer(request, handler, f"{request.method} {path}")
        except Refused as refused:
            response = answer(refused.body, status=refused.status, headers=refused.headers)
        except web.HTTPNotFound:
            response = answer({"code": 0, "message": "404: Not Found"}, status=404)
        asked.status = response.status
        if isinstance(response, web.Response) and isinstance(response.body, bytes):
            response.body = self.spoil(f"{request.method} {path}", response.body.decode()).encode()
        await self.change()
        return response

    async def _answer(self, request: web.Request, handler: Handler, line: str) -> web.StreamResponse:
        fault = next((fault for fault in self.world.faults if fault.meets(line)), None)
        if fault is not None:
            fault.hit += 1
            if fault.after:
                await handler(request)
            if fault.hang:
                await self.change()
                await self.hung.wait()
            body = fault.body or {"code": fault.code, "message": "fault"}
            return answer(body, status=fault.status, headers=fault.headers)
        by_ticket = line.split()[1].startswith(("/webhooks/", "/interactions/"))
        if not by_ticket and request.headers.get("Authorization") != f"Bot {self.world.token}":
            raise Refused(401, 0, "401: Unauthorized")
        headers = self._limit(request, line)
        planned = await self._planned(request)
        response = await (self._failing(planned, request, handler) if planned else handler(request))
        response.headers.update(headers)
        return response

    async def _planned(self, request: web.Request) -> Fault | None:
        resource = request.match_info.route.resource
        if resource is None:
            return None
        text = await request.text()
        route = f"{request.method} {resource.canonical.removeprefix(BASE)}"
        return self.faults(route, json.loads(text) if text else dict(request.query))

    async def _failing(self, fault: Fault, request: web.Request, handler: Handler) -> web.StreamResponse:
        """What Discord's users see of its worse days."""
        failed = answer({"code": 0, "message": "500: Internal Server Error"}, status=500)
        match fault.kind:
            case "limit":
                seconds = fault.seconds or 1.0
                body = {"retry_after": seconds, "global": False, "code": 0, "message": "You are being rate limited."}
                return answer(body, 429, {"Retry-After": f"{seconds:g}", "Via": "1.1 loopback"})
            case "late":
                task = create_task(self._after(fault.seconds, request, handler))
                self._late.add(task)
                task.add_done_callback(self._late.discard)
                return failed
            case "before":
                return failed
            case "page":
                return page(fault)
        await handler(request)
        await self.change()
        if fault.kind == "passed":
            return page(fault)
        if fault.kind == "hang":
            await self.hung.wait()
        if fault.kind == "drop" and request.transport is not None:
            request.transport.abort()
        return failed

    async def _after(self, seconds: float, request: web.Request, handler: Handler) -> None:
        await sleep(seconds)
        with suppress(Refused):  # what it was for may be gone by now
            await handler(request)
        await self.change()

    async def close(self) -> None:
        """Nothing hangs any longer, and nothing lands any more."""
        self.hung.set()
        late = list(self._late)
        for task in late:
            task.cancel()
        if late:
            await wait(late)

    def _limit(self, request: web.Request, line: str) -> dict[str, str]:
        """The bucket of this route and channel: 1,000 in a second, or what `limits` says for "METHOD end-of-path"."""
        channel = request.match_info.get("channel", "")
        kind = f"{request.method} {line.rsplit('/', 2)[1 if 'message' in request.match_info else 2]}"
        many, seconds = self.world.limits.get(kind, (1000, 1.0))
        now = time.monotonic()
        window = [at for at in self._windows.get(kind + channel, ()) if now - at < seconds]
        after = f"{window[0] + seconds - now:.3f}" if window else f"{seconds:.3f}"
        headers = {"X-RateLimit-Limit": str(many), "X-RateLimit-Reset-After": after, "X-RateLimit-Bucket": kind[:40]}
        if len(window) >= many:
            body = {"retry_after": float(after), "global": False, "code": 0, "message": "You are being rate limited."}
            refused = Refused(429, headers=headers | {"X-RateLimit-Remaining": "0", "Via": "1.1 loopback"})
            refused.body = body
            raise refused
        self._windows[kind + channel] = [*window, now]
        return headers | {"X-RateLimit-Remaining": str(many - len(window) - 1)}

    async def _file(self, request: web.Request) -> web.StreamResponse:
        """What stands in for Discord's CDN: it knows no tokens, and refuses addresses that are too old."""
        line = f"GET {request.path}"
        asked = Request(method="GET", path=request.path, body=dict(request.headers))
        self.world.requests.append(asked)
        fault = next((fault for fault in self.world.faults if fault.meets(line)), None)
        if fault is not None:
            fault.hit += 1
            if fault.hang:
                await self.change()
                await self.hung.wait()
            return web.Response(status=fault.status, headers=fault.headers)
        data = self.world.files.get(request.match_info["file"])
        if data is None or request.query.get("hm") != str(self.world.signature):
            return web.Response(status=404, text="This content is no longer available.")
        if data is ENDLESS:
            return await endless(request)
        return web.Response(body=data, content_type="application/octet-stream")

    async def _me(self, _: web.Request) -> web.Response:
        return answer(self.world.bot)

    async def _application(self, _: web.Request) -> web.Response:
        return answer(
            {
                "id": self.world.application,
                "name": "backscroll",
                "description": "",
                "icon": None,
                "bot_public": True,
                "bot_require_code_grant": False,
                "owner": self.world.person("owner"),
                "verify_key": "",
                "flags": self.world.flags,
                "approximate_guild_count": 1,
            }
        )

    async def _gateway(self, _: web.Request) -> web.Response:
        starts = {
            "total": 1000,
            "remaining": self.world.session_starts,
            "reset_after": 14_400_000,
            "max_concurrency": 1,
        }
        return answer({"url": self.gateway.url, "shards": 1, "session_start_limit": starts})

    async def _commands(self, _: web.Request) -> web.Response:
        return answer(self.world.commands)

    async def _overwrite(self, request: web.Request) -> web.Response:
        given: list[Payload] = await request.json()
        added = {"application_id": self.world.application, "version": "1", "nsfw": False, "name_localizations": None}
        self.world.commands = [_stored(command) | added | {"id": self.world.snowflake()} for command in given]
        return answer(self.world.commands)

    async def _guild(self, _: web.Request) -> web.Response:
        return answer(self.world.guild_now())

    async def _member(self, request: web.Request) -> web.Response:
        return answer(self.world.member(request.match_info["user"]))

    async def _thread_member(self, request: web.Request) -> web.Response:
        thread, user = self._place(request)["id"], request.match_info["user"]
        if user not in self.world.in_thread.get(thread, ()):
            raise Refused(404, 10007, "Unknown Member")
        return answer({"id": thread, "user_id": user, "flags": 0})

    async def _channel(self, request: web.Request) -> web.Response:
        return answer(self._place(request))

    async def _modify(self, request: web.Request) -> web.Response:
        """Opens an archived thread again; nothing else is wanted here."""
        channel, body = self._place(request), await request.json()
        if self.world.locked(channel["id"]):
            raise Refused(403, 50013, "Missing Permissions")
        channel["thread_metadata"] |= {"archived": body["archived"]}
        await self.gateway.dispatch("THREAD_UPDATE", channel)
        return answer(channel)

    async def _message(self, request: web.Request) -> web.Response:
        return answer(self._shown(self._kept(request)))

    async def _history(self, request: web.Request) -> web.Response:
        channel, query = self._place(request)["id"], request.query
        limit = int(query.get("limit", 50))
        if not 1 <= limit <= 100:
            raise Refused(400, 50035, "Invalid Form Body")
        listed = [kept for kept in self.world.messages[channel].values() if kept.listed]
        if channel in self.world.unreadable:
            return answer([])
        listed.sort(key=lambda kept: int(kept.payload["id"]))
        if "after" in query:
            found = [kept for kept in listed if int(kept.payload["id"]) > int(query["after"])][:limit]
        else:
            before = int(query.get("before", 1 << 64))
            found = [kept for kept in listed if int(kept.payload["id"]) < before][-limit:]
        return answer([self._shown(kept) for kept in reversed(found)])

    async def _create(self, request: web.Request) -> web.Response:
        body, place = await request.json(), self._place(request)
        channel = place["id"]
        if self.world.locked(channel):
            raise Refused(400, 160005, "Thread is locked")
        self._check(body)
        known = self.world.posted(channel, body.get("nonce"))
        if body.get("enforce_nonce") and known is not None:
            return answer(known)
        more: Payload = {"nonce": body.get("nonce"), "flags": body.get("flags", 0)}
        more["components"] = body.get("components", [])
        reference = body.get("message_reference")
        if reference is not None:
            if reference["message_id"] in self.world.messages[channel]:
                more["message_reference"] = {"message_id": reference["message_id"]}
            elif reference.get("fail_if_not_exists", True):
                raise Refused(400, 50035, "Unknown message")
        payload = self.world.message(channel, self.world.bot, body["content"].strip(), **more)
        self.world.nonces[channel, str(body.get("nonce"))] = payload["id"], self.world.now()
        if self.world.archived(channel):
            place["thread_metadata"] |= {"archived": False}
        await self.gateway.dispatch("MESSAGE_CREATE", payload, place)
        return answer(payload)

    async def _delete(self, request: web.Request) -> web.Response:
        channel, kept = self._place(request), self._kept(request)
        if kept.payload["author"]["id"] != self.world.bot["id"]:
            raise Refused(403, 50003, "Cannot execute action on this channel type")
        del self.world.messages[channel["id"]][kept.payload["id"]]
        await self.gateway.dispatch("MESSAGE_DELETE", self.world.gone([kept])[0], channel)
        return web.Response(status=204)

    async def _react(self, request: web.Request) -> web.Response:
        channel, kept = self._place(request), self._kept(request)
        if self.world.archived(channel["id"]):
            raise Refused(400, 50083, "Thread is archived")
        kept.reactions.add(request.match_info["emoji"])
        return web.Response(status=204)

    async def _unreact(self, request: web.Request) -> web.Response:
        self._kept(request).reactions.discard(request.match_info["emoji"])
        return web.Response(status=204)

    async def _edit(self, request: web.Request) -> web.Response:
        body, channel, kept = await request.json(), self._place(request), self._kept(request)
        if self.world.archived(channel["id"]):
            raise Refused(400, 50083, "Thread is archived")
        if kept.payload["author"]["id"] != self.world.bot["id"]:
            raise Refused(403, 50005, "Cannot edit a message authored by another user")
        return await self._changed(kept, body)

    async def _typing(self, request: web.Request) -> web.Response:
        self.typed.append(self._place(request)["id"])
        return web.Response(status=204)

    async def _callback(self, request: web.Request) -> web.Response:
        interaction, body = self._interaction(request), await request.json()
        late = self.world.now() - interaction.at
        if late > self.world.acknowledge_within:
            raise Refused(404, 10062, "Unknown interaction")
        if interaction.deferred:
            raise Refused(400, 40060, "Interaction has already been acknowledged")
        data = body.get("data", {})
        match body["type"]:
            case 5 if not data.get("flags", 0) & ~EPHEMERAL:
                interaction.private = bool(data.get("flags", 0) & EPHEMERAL)
            case 6 if interaction.kind in (COMPONENT, SUBMISSION):
                pass
            case 9 if interaction.kind != SUBMISSION and is_modal(data):
                interaction.modal = data
            case _:
                raise Refused(400, 50035, "Invalid Form Body")
        interaction.deferred, interaction.acknowledged_after = True, late
        interaction.first = body["type"]
        return web.Response(status=204)

    async def _edit_original(self, request: web.Request) -> web.Response:
        interaction, body = self._interaction(request), await request.json()
        if not interaction.deferred:
            raise Refused(404, 10015, "Unknown Webhook")
        if interaction.first != 5:
            raise Refused(404, 10008, "Unknown Message")
        if interaction.original is not None:
            kept = self.world.messages[interaction.channel].get(interaction.original)
            if kept is None:
                raise Refused(404, 10008, "Unknown Message")
            return await self._changed(kept, body)
        payload = await self._by_webhook(interaction, body, private=interaction.private)
        interaction.original = payload["id"]
        return answer(payload)

    async def _follow_up(self, request: web.Request) -> web.Response:
        interaction, body = self._interaction(request), await request.json()
        if not interaction.deferred:
            raise Refused(404, 10015, "Unknown Webhook")
        if interaction.first == 5 and interaction.original is None:  # it takes the place of what was deferred
            return await self._edit_original(request)
        private = bool(body.get("flags", 0) & EPHEMERAL)
        return answer(await self._by_webhook(interaction, body, private=private))

    async def _delete_original(self, request: web.Request) -> web.Response:
        interaction = self._interaction(request)
        kept = self.world.messages[interaction.channel].pop(interaction.original or "", None)
        if kept is None:
            raise Refused(404, 10008, "Unknown Message")
        (told,) = self.world.gone([kept])
        await self.gateway.dispatch("MESSAGE_DELETE", told, self.world.channels[interaction.channel])
        return web.Response(status=204)

    async def _by_webhook(self, interaction: Interaction, body: Payload, *, private: bool) -> Payload:
        self._check(body)
        payload = self.world.message(
            interaction.channel,
            self.world.bot,
            body["content"],
            type=20,
            webhook_id=self.world.application,
            flags=body.get("flags", 0) | (EPHEMERAL if private else 0),
            components=body.get("components", []),
        )
        if not private:
            await self.gateway.dispatch("MESSAGE_CREATE", payload, self.world.channels[interaction.channel])
        return payload

    async def _changed(self, kept: Kept, body: Payload) -> web.Response:
        self._check(body)
        self.world.edit(kept, body["content"].strip())
        kept.payload["components"] = body.get("components", kept.payload["components"])
        if kept.listed:
            channel = self.world.channels[kept.payload["channel_id"]]
            await self.gateway.dispatch("MESSAGE_UPDATE", kept.payload, channel)
        return answer(kept.payload)

    def _shown(self, kept: Kept) -> Payload:
        return self.world.seen(kept.payload, content=bool(self.world.flags), nonce=self.world.shows_nonces)

    def _place(self, request: web.Request) -> Payload:
        channel = self.world.channels.get(request.match_info["channel"])
        if channel is None:
            raise Refused(404, 10003, "Unknown Channel")
        assert channel["type"] != THREAD or channel["parent_id"]
        return channel

    def _kept(self, request: web.Request) -> Kept:
        kept = self.world.messages[self._place(request)["id"]].get(request.match_info["message"])
        if kept is None or not kept.listed:
            raise Refused(404, 10008, "Unknown Message")
        return kept

    def _interaction(self, request: web.Request) -> Interaction:
        interaction = self.world.interactions.get(request.match_info["token"])
        if interaction is None:
            raise Refused(404, 10015, "Unknown Webhook")
        if self.world.now() - interaction.at > self.world.token_lifetime:
            raise Refused(401, 50027, "Invalid Webhook Token")
        return interaction

    @staticmethod
    def _check(body: Payload) -> None:
        content = body.get("content") or ""
        if not content.strip():
            raise Refused(400, 50006, "Cannot send an empty message")
        if len(content) > 2000 or len(str(body.get("nonce", ""))) > 25:
            raise Refused(400, 50035, "Invalid Form Body")
        if not all(map(is_row, body.get("components", ()))) or len(body.get("components", ())) > 5:
            raise Refused(400, 50035, "Invalid Form Body")
        mentions = body.get("allowed_mentions", {})
        if "users" in mentions.get("parse", ()) and mentions.get("users"):
            raise Refused(400, 50035, "Invalid Form Body")


def answer(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """JSON as Discord sends it: discord.py takes it for text when the content type names a charset."""
    content = {"Content-Type": "application/json"}
    return web.Response(body=json.dumps(body).encode(), status=status, headers=content | dict(headers or {}))


def _stored(command: Any) -> Any:
    """What Discord keeps of a command: empty lists go."""
    if isinstance(command, dict):
        return {key: _stored(value) for key, value in command.items() if value != []}
    return [_stored(one) for one in command] if isinstance(command, list) else command


def is_row(row: Payload) -> bool:
    """Whether Discord takes this beneath a message: up to five buttons, or one menu (components/reference)."""
    kinds = [one["type"] for one in row["components"]]
    buttons = all(kind == 2 for kind in kinds) and 1 <= len(kinds) <= 5
    fits = all(0 < len(one["custom_id"]) <= 100 and len(one.get("label", "")) <= 80 for one in row["components"])
    return row["type"] == 1 and fits and (buttons or (kinds == [3] and is_menu(row["components"][0])))


def is_menu(menu: Payload) -> bool:
    """Whether Discord takes this menu."""
    options, bounds = menu["options"], (menu["min_values"], menu["max_values"])
    fits = all(0 < len(one["label"]) <= 100 and 0 < len(one["value"]) <= 100 for one in options)
    chosen = sum(bool(one.get("default")) for one in options)
    in_order = 0 <= bounds[0] <= bounds[1] <= len(options) and chosen <= bounds[1]
    return 1 <= len(options) <= 25 and fits and in_order and len(menu.get("placeholder", "")) <= 150


def is_modal(modal: Payload) -> bool:
    """Whether Discord takes this modal."""
    labels = modal["components"]
    return (
        0 < len(modal["custom_id"]) <= 100
        and 0 < len(modal["title"]) <= 45
        and 1 <= len(labels) <= 5
        and all(
            one["type"] == 18
            and 0 < len(one["label"]) <= 45
            and 0 < len(one.get("description", "…")) <= 100
            and is_field(one["component"])
            for one in labels
        )
    )


def is_field(field: Payload) -> bool:
    """Whether Discord takes this in a modal, beneath a label."""
    if not 0 < len(field["custom_id"]) <= 100:
        return False
    if field["type"] == 3:
        return is_menu(field)
    return field["type"] == 4 and field["style"] in (1, 2) and len(field["value"]) <= field["max_length"] <= 4000
