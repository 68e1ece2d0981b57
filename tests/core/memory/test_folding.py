"""The plan of a fold: what becomes checkpoints, nodes and old summary, and what stays as it was said."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as some

from benchmarks import folding
from core.memory.folding import Part, Plan, cover, plan
from core.memory.shares import LEAST_FOLD, STRETCH, Shares, shares
from core.session import Checkpoint, Fold, Kind, Progress, Role, Turn, Validity

FIXED = 350
BUDGET = 24_000


def turn(seq: int, tokens: int, *, role: Role = Role.PERSON, kind: Kind = Kind.SAID) -> Turn:
    return Turn(seq, role, kind, Progress.DONE, Validity.STANDS, "", tokens, 60.0 * seq)


def exchanges(first: int, last: int, tokens: int = 300) -> list[Turn]:
    """The newest first."""
    asked, told = tokens // 3, tokens - tokens // 3
    return [
        one
        for seq in range(last, first - 1, -1)
        for one in (turn(seq, told, role=Role.ASSISTANT, kind=Kind.ANSWER), turn(seq, asked))
    ]


def checkpoint(first: int, last: int, kind: Fold = Fold.CHECKPOINT, *, level: int = 0, tokens: int = 700) -> Checkpoint:
    return Checkpoint(number=last, kind=kind, level=level, first=first, last=last, tokens=tokens)


def planned(
    newest_first: Sequence[Turn],
    shown: Sequence[Checkpoint] = (),
    *,
    tree: Sequence[Checkpoint] | None = None,
    budget: int = BUDGET,
    idle: bool = False,
    unread: int | None = None,
) -> Plan | None:
    return plan(
        parts(budget),
        shown,
        newest_first,
        tree=[one for one in shown if one.kind is Fold.CHECKPOINT] if tree is None else tree,
        start=0,
        budget=budget,
        fixed=FIXED,
        idle=idle,
        unread=unread,
    )


def parts(budget: int) -> Shares:
    return shares(budget, budget - FIXED)


def made(plan: Plan | None, kind: Fold) -> list[tuple[int, int]]:
    assert plan is not None
    return [(text.part.first, text.part.last) for text in plan.texts if text.part.kind is kind]


def test_nothing_is_folded_before_the_window_is_nearly_full() -> None:
    assert planned(exchanges(1, 66)) is None
    assert planned(exchanges(1, 67)) is not None


def test_a_pause_that_outlives_the_cache_folds_earlier_and_less() -> None:
    assert planned(exchanges(1, 46), idle=True) is None
    assert planned(exchanges(1, 47), idle=True) is not None
    assert planned(exchanges(1, 47), idle=False) is None
    assert planned(exchanges(1, 16), budget=6_000, idle=True) is None, "it pays in large windows alone"


def test_a_window_of_less_than_3000_tokens_is_never_folded() -> None:
    assert planned(exchanges(1, 100), budget=2_999) is None
    assert planned(exchanges(1, 100), budget=3_000) is not None


def test_what_was_overheard_since_the_last_exchange_counts_as_it_will_be_shown_before_the_next() -> None:
    heard = [turn(70, 500, kind=Kind.OVERHEARD)]
    assert planned([*heard, *exchanges(1, 65)]) is None
    assert planned([*heard, *exchanges(1, 66)]) is not None


def test_a_fold_goes_down_to_its_share_and_leaves_the_newest_as_they_were_said() -> None:
    fold = planned(exchanges(1, 67))

    assert made(fold, Fold.CHECKPOINT) == [(1, 20), (21, 40)]
    assert fold is not None
    assert fold.takes == 40 * 300
    assert FIXED + 27 * 300 >= BUDGET * 35 // 100 > FIXED + 26 * 300
    assert fold.folded == (1, 40)


def test_at_least_two_exchanges_stay_however_long() -> None:
    fold = planned([*exchanges(11, 12, 2_000), *exchanges(1, 10)], budget=6_000)

    assert made(fold, Fold.CHECKPOINT) == [(1, 10)]


def test_a_fold_that_takes_in_little_waits_while_one_more_exchange_of_the_usual_length_has_room() -> None:
    record = checkpoint(0, 0, tokens=1_000 - FIXED)
    assert planned([*exchanges(9, 10, 1_000), *exchanges(1, 8)], [record], budget=6_000) is None
    fold = planned([*exchanges(9, 10, 1_150), *exchanges(1, 8)], [record], budget=6_000)
    assert fold is not None
    assert fold.takes < parts(6_000).folding.takes  # type: ignore[union-attr]


def test_a_stretch_begins_where_the_one_before_it_ends_and_what_was_overheard_goes_with_its_question() -> None:
    newest = exchanges(1, 80)
    heard = [turn(one.seq, 50, kind=Kind.OVERHEARD) if one.seq % 7 == 0 else one for one in newest]
    heard = [one for one in heard if one.seq % 7 or one.role is Role.PERSON]

    fold = planned(heard, [checkpoint(-9, -3)])

    stretches = made(fold, Fold.CHECKPOINT)
    assert stretches[0][0] == -2, "what was said since and is not shown is told by it"
    assert len(stretches) > 1
    assert all(one[1] + 1 == two[0] for one, two in pairwise(stretches))
    assert all(last % 7 for _, last in stretches)


def test_turns_between_checkpoints_become_one_of_their_own_where_they_are_worth_it() -> None:
    around = [checkpoint(1, 10), checkpoint(21, 30)]

    fold = planned([*exchanges(31, 90), *exchanges(11, 20)], around)
    assert made(fold, Fold.CHECKPOINT)[0] == (11, 20)

    fold = planned([*exchanges(31, 95), *exchanges(11, 11, LEAST_FOLD - 1)], around)
    assert made(fold, Fold.CHECKPOINT)[0][0] == 31, "too little stays as it was said"


def test_of_what_is_not_read_nothing_tells() -> None:
    """Neither a stretch, nor a node or an old summary of what is around it."""
    after = made(planned(exchanges(60, 130), [checkpoint(1, 10)], unread=59), Fold.CHECKPOINT)
    assert after[0][0] == 60

    small = [checkpoint(10 * nth + 1, 10 * nth + 10) for nth in range(7)]
    whole = [*small, checkpoint(71, 80)]
    apart = [*small, checkpoint(101, 110)]
    assert (1, 80) in made(planned(exchanges(111, 190), whole), Fold.NODE)
    for unread in (95, 105):
        fold = planned(exchanges(111, 190), apart, unread=unread)
        assert all(not first <= 90 <= last for first, last in made(fold, Fold.NODE))

    large = [checkpoint(1, 10, tokens=3_000), checkpoint(21, 30, tokens=3_000)]
    old = made(planned(exchanges(31, 110), large, unread=15), Fold.OLD)
    assert [last for _, last in old][:1] == [10]
    assert all(not first <= 15 <= last for first, last in old)


def test_records_that_have_no_room_become_an_old_summary_though_nothing_is_to_be_folded() -> None:
    records = [checkpoint(10 * nth + 1, 10 * nth + 10) for nth in range(6)]

    fold = planned(exchanges(61, 62), records, budget=6_000)
    assert made(fold, Fold.CHECKPOINT) == []
    assert made(fold, Fold.OLD) == [(1, 50)]

    assert planned(exchanges(61, 62), records[:4], budget=6_000) is None, "these are shown, all of them"
    assert planned(exchanges(61, 62), [checkpoint(1, 60, Fold.OLD, tokens=4_000)], budget=6_000) is None


def test_what_was_overheard_before_a_checkpoint_is_told_without_it() -> None:
    heard = [turn(seq, LEAST_FOLD, kind=Kind.OVERHEARD) for seq in (9, 2, 1)]
    stretches = made(planned([*exchanges(10, 90), *heard], [checkpoint(3, 8)]), Fold.CHECKPOINT)
    assert stretches[0] == (1, 2)
    assert stretches[1][0] == 9
    assert all(before[1] < after[0] for before, after in pairwise(stretches))


def test_a_text_is_much_shorter_than_what_it_tells_of_and_keeps_to_its_share() -> None:
    fold = planned(exchanges(1, 67))
    assert fold is not None
    assert [text.tokens for text in fold.texts] == [20 * 300 // 8, 20 * 300 // 8, 300]

    fold = planned(exchanges(1, 22), budget=7_000)
    assert fold is not None
    assert fold.texts[0].tokens == 420


def test_over_eight_checkpoints_a_node_is_made_and_over_eight_nodes_another() -> None:
    leaves = [checkpoint(seq, seq, tokens=300) for seq in range(1, 63)]
    nodes = [checkpoint(8 * nth + 1, 8 * nth + 8, Fold.NODE, level=1) for nth in range(7)]
    shown = [checkpoint(1, 60, Fold.OLD, tokens=800), *leaves[60:]]

    fold = planned(exchanges(63, 129), shown, tree=[*leaves, *nodes])

    assert fold is not None
    nodes_made = [text for text in fold.texts if text.part.kind is Fold.NODE]
    first, second = nodes_made
    assert (first.part.level, first.part.first) == (1, 57)
    assert len(first.sources) == len(second.sources) == 8
    assert (second.part.level, second.part.first, second.part.last) == (2, 1, first.part.last)
    assert second.sources[-1] == first.part


def test_an_old_summary_of_short_nodes_has_room_for_its_lines_all_the_same() -> None:
    leaves = [checkpoint(seq, seq, tokens=160) for seq in range(1, 10)]
    node = checkpoint(1, 8, Fold.NODE, level=1, tokens=120)

    fold = planned(exchanges(10, 17), leaves, tree=[*leaves, node], budget=3_000)
    assert fold is not None
    (old,) = [text for text in fold.texts if text.part.kind is Fold.OLD]
    assert (old.part.first, old.part.last) == (1, 9)
    assert old.tokens >= 170, "its marks alone take 60"

    apart = [checkpoint(1, 1, tokens=300), checkpoint(11, 11, tokens=600)]
    fold = planned([*exchanges(12, 19), *exchanges(2, 10, 20)], apart, budget=3_000)
    assert made(fold, Fold.OLD) == [(11, 11)], "no text can be much shorter than one that is short"


def test_an_old_summary_is_made_of_the_highest_nodes_and_never_of_the_one_before() -> None:
    leaves = [checkpoint(seq, seq) for seq in range(1, 21)]
    nodes = [checkpoint(1, 8, Fold.NODE, level=1), checkpoint(9, 16, Fold.NODE, level=1)]
    shown = [checkpoint(1, 15, Fold.OLD, tokens=1_400), *leaves[15:20]]

    fold = planned(exchanges(21, 80), shown, tree=[*leaves, *nodes])

    assert fold is not None
    (old,) = [text for text in fold.texts if text.part.kind is Fold.OLD]
    *_, newest, _ = made(fold, Fold.CHECKPOINT)
    assert (old.part.first, old.part.last) == (1, newest[0] - 1), "all but the two newest, of 600 tokens each"
    assert [(one.kind, one.first) for one in old.sources[:3]] == [(Fold.NODE, 1), (Fold.NODE, 9), (Fold.CHECKPOINT, 17)]
    assert all(one.last < two.first for one, two in pairwise(old.sources))
    assert old.tokens == 1_440


def test_the_state_is_made_of_all_that_is_shown_then() -> None:
    shown = [checkpoint(1, 5), checkpoint(1, 5, Fold.STATE, tokens=300)]
    fold = planned(exchanges(6, 70), shown)

    assert fold is not None
    state = fold.texts[-1]
    assert (state.part.kind, state.part.first, state.tokens) == (Fold.STATE, 1, 300)
    assert [(one.first, one.last) for one in state.sources] == [(1, 5), *made(fold, Fold.CHECKPOINT)]
    without = planned(exchanges(1, 20), budget=5_000)
    assert without is not None
    assert all(text.part.kind is Fold.CHECKPOINT for text in without.texts)


lengths = some.lists(some.integers(1, 3_000), min_size=1, max_size=120)


@given(lengths, some.sampled_from([3_000, 6_000, 24_000, 100_000]), some.booleans())
def test_whatever_was_said_a_plan_keeps_its_promises(tokens: list[int], budget: int, idle: bool) -> None:
    newest = [one for seq, size in enumerate(tokens, 1) for one in exchanges(seq, seq, size)[::-1]][::-1]

    fold = planned(newest, budget=budget, idle=idle)

    if fold is None:
        return
    limits = parts(budget).folding
    assert limits is not None
    stretches = made(fold, Fold.CHECKPOINT)
    assert stretches[0][0] == 1
    assert all(one[1] + 1 == two[0] for one, two in pairwise(stretches)), "nothing is left between them"
    assert stretches[-1][1] <= len(tokens) - 2
    most = parts(budget).message
    sizes = [min(size // 3, most) + min(size - size // 3, most) for size in tokens]
    assert all(
        LEAST_FOLD <= sum(sizes[first - 1 : last]) < max(STRETCH, *sizes) + LEAST_FOLD for first, last in stretches
    )
    assert fold.takes == sum(sizes[: stretches[-1][1]])
    assert all(text.tokens <= limits.checkpoint for text in fold.texts if text.part.kind is Fold.CHECKPOINT)
    if not idle and FIXED + sum(sizes) + sum(sizes) // len(sizes) < budget:
        assert fold.takes >= limits.takes
    assert sum(sizes[stretches[-1][1] :]) >= min(limits.verbatim, sum(sizes) - LEAST_FOLD)


pieces = some.lists(
    some.tuples(some.sampled_from(["said", "said", "overheard", "told"]), some.integers(50, 3_000)),
    min_size=8,
    max_size=60,
)


@given(pieces, some.sampled_from([4_000, 6_000, 24_000]), some.booleans())
def test_no_turn_is_told_by_two_records_whatever_lies_between(
    said: list[tuple[str, int]], budget: int, idle: bool
) -> None:
    newest, told = list[Turn](), list[Checkpoint]()
    for seq, (what, size) in enumerate(said, 1):
        if what == "told":
            told.append(checkpoint(seq, seq, tokens=100))
        else:
            heard = [turn(seq, size, kind=Kind.OVERHEARD)]
            newest = [*(heard if what == "overheard" else exchanges(seq, seq, size)), *newest]

    fold = planned(newest, told, budget=budget, idle=idle)

    if fold is not None:
        stretches = made(fold, Fold.CHECKPOINT)
        assert all(one[1] < two[0] for one, two in pairwise(stretches))
        assert not any(first <= one.first <= last for first, last in stretches for one in told)


def test_what_covers_a_range_are_the_highest_that_lie_in_it() -> None:
    leaf = [Part(kind=Fold.CHECKPOINT, level=0, first=seq, last=seq) for seq in range(1, 11)]
    node = Part(kind=Fold.NODE, level=1, first=1, last=8)

    assert list(cover([*leaf, node])) == [node, *leaf[8:]]
    assert list(cover([*leaf, node], node)) == leaf[:8], "a node is not made of itself"
    assert list(cover([*leaf, node], replace(node, kind=Fold.OLD, last=7))) == leaf[:7]


def test_conversations_of_300_exchanges_hold_the_benchmarks_bars() -> None:
    folded = folding.several(6_000, 300, folding.stepping, seed=1)
    stepped = folding.run(6_000, 300, folding.stepping, seed=1, fails=True)
    base = folding.run(6_000, 300, folding.sliding, seed=1)

    assert folding.wrong(6_000, 300, folded, stepped, base) == []
