"""In one conversation nobody is overtaken, and nobody waits for ever."""

from asyncio import Event, create_task, gather, sleep

from core.seam.ordering import Ordering


async def test_who_fails_holds_up_nobody_and_who_hangs_only_for_a_while() -> None:
    order, went, never = Ordering(seconds=0.05), list[str](), Event()

    async def go(name: str, wait: Event | None = None) -> None:
        async with order.line("here") as turn:
            await turn()
            went.append(name)
            if wait is not None:
                await wait.wait()
            if name == "fails":
                raise OSError

    hanging = create_task(go("hangs", never))
    await sleep(0)
    failed = await gather(go("fails"), go("last"), return_exceptions=True)
    never.set()
    await hanging
    assert [type(one) for one in failed] == [OSError, type(None)]
    assert went == ["hangs", "fails", "last"]
    assert len(order) == 0


async def test_who_acknowledges_nothing_waits_for_as_long_as_it_takes() -> None:
    order, went, let_go = Ordering(seconds=None), list[str](), Event()

    async def go(name: str, conversation: str = "here") -> None:
        async with order.line(conversation) as turn:
            await turn()
            if name == "slow":
                await let_go.wait()
            went.append(name)

    slow, behind = create_task(go("slow")), create_task(go("behind"))
    await go("elsewhere", "there")
    assert went == ["elsewhere"]
    let_go.set()
    await gather(slow, behind)
    assert went == ["elsewhere", "slow", "behind"]
    assert len(order) == 0
