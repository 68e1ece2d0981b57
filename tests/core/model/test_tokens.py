"""Counting tokens: exactly where the vocabulary can be had, cautiously where not, never for long."""

import asyncio
import base64
import gzip
import hashlib
import importlib.util
import json
import random
import string
import threading
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs
from tiktoken.load import load_tiktoken_bpe
from tiktoken_ext import openai_public

from core.model import cutting, tokens
from core.model.calibration import Calibration
from core.model.cutting import cut_middle
from core.model.tokens import EXTRA, Estimate, Vocabulary, encoding_of, load

ADDRESS = "https://openaipublic.blob.core.windows.net/encodings/o200k_base.tiktoken"


SHA256 = "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"
NO_EXTRA = "bpe_openai_that_is_not_installed"


def no_fetch(address, sha256):
    raise AssertionError("the network was touched")


def vocabulary_file(name="o200k_base"):
    spec = importlib.util.find_spec("bpe_openai")
    return gzip.decompress((Path(spec.submodule_search_locations[0]) / "data" / f"{name}.tiktoken.gz").read_bytes())


@pytest.fixture(scope="module")
def exact():
    return asyncio.run(load("gpt-5", fetch=no_fetch))


@pytest.fixture(params=["exact", "estimate"])
def counter(request, exact):
    return exact if request.param == "exact" else Estimate()


# Loading


async def test_with_the_extra_installed_the_network_is_not_touched():
    with capture_logs() as logs:
        counter = await load("gpt-5", fetch=no_fetch)
    assert isinstance(counter, Vocabulary)
    assert (counter.name, counter.count("hello world")) == ("o200k_base", 2)
    assert [entry["place"] for entry in logs] == ["extra"]
    assert openai_public.load_tiktoken_bpe is load_tiktoken_bpe, "tiktoken itself stays as it was"


async def test_a_process_holds_a_vocabulary_once_however_often_it_is_loaded():
    """A7: each copy takes half a second and 50 MB."""
    one, other = [await load("gpt-5", fetch=no_fetch) for _ in range(2)]
    assert one._encoding is other._encoding


async def test_old_models_have_the_old_vocabulary():
    counter = await load("gpt-4", fetch=no_fetch)
    assert (counter.name, counter.count("Donaudampfschifffahrt")) == ("cl100k_base", 10)


def test_a_cache_is_used_first(tmp_path):
    (tmp_path / hashlib.sha1(ADDRESS.encode()).hexdigest()).write_bytes(vocabulary_file())
    with capture_logs() as logs:
        assert tokens._nearest(ADDRESS, SHA256, cache=tmp_path, extra=EXTRA, fetch=no_fetch) == vocabulary_file()
    assert [entry["place"] for entry in logs] == ["cache"]


def test_a_wrong_file_is_refused_with_a_word_in_the_log(tmp_path):
    (tmp_path / hashlib.sha1(ADDRESS.encode()).hexdigest()).write_bytes(vocabulary_file()[:-1])
    with capture_logs() as logs:
        assert tokens._nearest(ADDRESS, SHA256, cache=tmp_path, extra=EXTRA, fetch=no_fetch) == vocabulary_file()
    assert [entry["event"] for entry in logs] == ["vocabulary_refused", "vocabulary_found"]


async def test_without_the_extra_tiktoken_fetches_what_it_expects():
    asked = []

    def fetch(address, sha256):
        asked.append((address, sha256))
        return vocabulary_file()

    counter = await load("gpt-5", extra=NO_EXTRA, fetch=fetch)
    assert counter.name == "o200k_base"
    assert asked == [(ADDRESS, SHA256)]


async def test_without_any_vocabulary_there_is_an_estimate_and_one_line_that_says_so():
    def fetch(address, sha256):
        raise OSError("no network here")

    with capture_logs() as logs:
        counter = await load("gpt-5", extra=NO_EXTRA, fetch=fetch)
    assert isinstance(counter, Estimate)
    (line,) = logs
    assert (line["log_level"], line["event"]) == ("warning", "vocabulary_missing")
    assert "backscroll[vocabulary]" in line["remedy"]


def test_a_download_that_hangs_holds_up_neither_the_start_nor_the_end():
    """Here it hangs until both are over."""
    over = threading.Event()
    counter = asyncio.run(load("gpt-5", extra=NO_EXTRA, time_limit=0.05, fetch=lambda *_: over.wait(30) and b""))
    assert isinstance(counter, Estimate)
    assert not over.is_set()
    over.set()


async def test_loading_can_be_cancelled():
    over = threading.Event()
    task = asyncio.create_task(load("gpt-5", extra=NO_EXTRA, fetch=lambda *_: over.wait(30) and b""))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    over.set()


def test_the_extra_is_found_without_importing_it():
    assert tokens._from_extra(EXTRA, ADDRESS) == vocabulary_file()
    assert tokens._from_extra(EXTRA, "https://example.com/other.tiktoken") is None


def test_without_the_package_there_is_no_extra():
    assert tokens._from_extra(NO_EXTRA, ADDRESS) is None


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("gpt-5", "o200k_base"),
        ("gpt-6-astra", "o200k_base"),
        ("openai/gpt-5", "o200k_base"),
        ("ft:gpt-4.1-mini:acme::a1", "o200k_base"),
        ("ft:gpt-4o-2024-08-06:acme::a1", "o200k_base"),
        ("gpt-4.1", "o200k_base"),
        ("gpt-4o-mini", "o200k_base"),
        ("gpt-4.5-preview", "o200k_base"),
        ("gpt-oss-120b", "o200k_base"),
        ("o4-mini", "o200k_base"),
        ("llama3.2:8b", "o200k_base"),
        ("", "o200k_base"),
        ("gpt-4", "cl100k_base"),
        ("gpt-4-turbo", "cl100k_base"),
        ("ft:gpt-4-0613:acme::a1", "cl100k_base"),
        ("azure/gpt-35-turbo", "cl100k_base"),
        ("GPT-3.5-turbo", "cl100k_base"),
        ("text-embedding-3-small", "cl100k_base"),
    ],
)
def test_a_model_is_matched_with_its_vocabulary(model, expected):
    assert encoding_of(model) == expected


# Counting


def test_nothing_is_no_tokens(counter):
    assert counter.count("") == 0


def test_what_looks_like_a_special_token_is_text(exact):
    assert exact.count("<|endoftext|>") == 7


def test_broken_characters_are_counted_too(counter):
    assert counter.count("a\ud800b\x00") > 0


@pytest.mark.parametrize("unit", ["a", " ", "\n", "^", "語", "😀", "1", "e\u0301", " \n", "\ud800", "é"])
def test_a_megabyte_of_the_same_can_be_counted(counter, unit):
    assert counter.count(unit * (1_000_000 // len(unit)) + "x") > 1000


def test_a_long_text_counts_like_its_whole(exact):
    text = "It was a dark and stormy night; the rain fell in torrents. " * 2000
    assert exact.count(text) == len(exact._encoding.encode_ordinary(text))


SAMPLES = {
    "english": "The committee decided yesterday that every request has to be reviewed by two people before it ships. ",
    "chat": "lol yeah thats what i thought too, can u check the deploy? its stuck on step 3 again :(\n",
    "code": "def total(items: list[Item]) -> int:\n    return sum(item.price * item.count for item in items if item)\n",
    "german": "Die Umweltverträglichkeitsprüfung soll künftig beschleunigt werden, sonst verfällt der Anspruch. ",
    "french": "Le comité a décidé hier que chaque demande doit être relue par deux personnes avant la livraison. ",
    "polish": "Komisja postanowiła wczoraj, że każdy wniosek musi zostać sprawdzony przez dwie osoby. ",
    "finnish": "Hallitus päätti eilen, että ympäristövaikutusten arviointimenettelyä nopeutetaan. ",
    "russian": "Комитет вчера решил, что каждую заявку должны проверить два человека перед отправкой. ",
    "chinese": "委员会昨天决定，每个请求在发布之前都必须由两个人审核。",
    "japanese": "委員会は昨日、すべての依頼は公開前に二人で確認しなければならないと決めました。",
    "korean": "위원회는 어제 모든 요청을 출시 전에 두 사람이 검토해야 한다고 결정했습니다. ",
    "arabic": "قررت اللجنة أمس أن كل طلب يجب أن يراجعه شخصان قبل إطلاقه. ",
    "hindi": "समिति ने कल निर्णय लिया कि हर अनुरोध की दो लोगों द्वारा समीक्षा की जानी चाहिए। ",
    "emoji": "😀😂👍🎉🔥🙏😊🚀✅👀💯",
    "base64": base64.b64encode(random.Random(1).randbytes(60)).decode() + "\n",
    "hash": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 ",
    "log": "2026-11-22T14:03:07.113Z INFO [worker-3] GET /api/v1/things/79190 200 17ms\n",
    "json": '{"id": 17, "name": "user17", "ts": 1700000023.29, "ok": true, "tags": ["a", "b"]}, ',
    "table": "| 17 | **item 17** | `code_17` | 53.38 |\n",
    "url": "https://acme.slack.com/archives/C0AB12CD3/p1700000137137137?thread_ts=1700000001.000001 ",
}


@pytest.fixture(scope="module", params=["gpt-5", "gpt-4"])
def billed(request):
    return asyncio.run(load(request.param, fetch=no_fetch))


@pytest.mark.parametrize("kind", SAMPLES)
def test_the_estimate_is_never_too_low_and_not_out_of_reason(exact, billed, kind):
    text = SAMPLES[kind] * 20
    assert Estimate().count(text) >= billed.count(text)
    assert Estimate().count(text) <= (2.7 if kind in {"english", "chat", "code"} else Estimate.excess) * exact.count(
        text
    )


def scrambled(alphabet, seed=1, size=2000, words=False):
    dice = random.Random(seed)
    return "".join(" " if words and dice.random() < 0.15 else dice.choice(alphabet) for _ in range(size))


def letters_of(first, last):
    return [chr(one) for one in range(first, last) if unicodedata.category(chr(one))[0] in "LMNPS"]


RARE = (
    letters_of(0xA0, 0x3400) + letters_of(0xA000, 0xAC00) + letters_of(0x10000, 0x17000) + letters_of(0x1B000, 0x20000)
)
MIXES = {
    "all rare scripts": scrambled(RARE),
    "words of rare scripts": scrambled(RARE, words=True),
    "rare scripts among signs": scrambled([*RARE[::9], *string.printable * 6]),
    "han": scrambled(letters_of(0x4E00, 0xA000)),
    "hangul": scrambled(letters_of(0xAC00, 0xD7A4)),
    "emoji": scrambled(letters_of(0x1F300, 0x1FA00)),
    "families": "👨‍👩‍👧‍👦👩🏽‍💻🧑🏿‍🚀🏳️‍🌈👩‍❤️‍💋‍👨" * 20,
    "flags": scrambled(letters_of(0x1F1E6, 0x1F200)),
    "zalgo": scrambled([*string.ascii_lowercase, *letters_of(0x300, 0x370)]),
    "letters": scrambled(string.ascii_lowercase, words=True),
    "keys": scrambled(string.ascii_letters + string.digits, words=True),
    "one key": scrambled(string.ascii_letters + string.digits),
    "passwords": scrambled(string.printable[:94]),
    "signs": scrambled(string.punctuation, words=True),
    "blanks": scrambled(" \t\n\r"),
    "bits": " ".join(scrambled("01")),
    "numbers": scrambled(string.digits, words=True),
    "base64 in lines": base64.encodebytes(random.Random(1).randbytes(2000)).decode(),
    "small json": json.dumps([{"id": n * 7919, "k": [n % 7, None, True], "w": {"é": "ß"}} for n in range(100)]),
    "json without blanks": json.dumps([[n, {"a": n}] for n in range(200)], separators=(",", ":")),
    "escaped json": json.dumps(["委员会昨天决定每个请求在发布之前"] * 10),
    "somali": "Guddigu wuxuu shalay go'aansaday in codsi kasta ay dib u eegaan laba qof ka hor inta aan la dirin. " * 9,
} | {f"block {first:x}": scrambled(letters_of(first, first + 0x80), words=True) for first in range(0x80, 0x3400, 0x80)}


@pytest.mark.parametrize("kind", [kind for kind, text in MIXES.items() if text.strip() or kind == "blanks"])
def test_no_mix_of_anything_has_more_tokens_than_the_estimate(billed, kind):
    assert Estimate().count(MIXES[kind]) >= billed.count(MIXES[kind])


# Cutting


def parts(result):
    head, _, rest = result.partition("\n[… ")
    note, _, tail = rest.partition(" left out …]\n")
    return head, note, tail


@pytest.mark.parametrize("kind", SAMPLES)
@pytest.mark.parametrize("most", [40, 500])
def test_the_middle_is_cut_out_and_its_size_is_said(counter, kind, most):
    text = SAMPLES[kind] * 200
    result = cut_middle(text, most, counter)
    head, note, tail = parts(result)
    assert most * 0.6 < counter.count(result) <= most
    assert text.startswith(head)
    assert text.endswith(tail)
    assert head
    assert tail
    left = int(note.split()[0])
    kept = counter.count(head) + counter.count(tail)
    assert left == counter.count(text) - kept


def test_a_text_that_fits_is_left_alone(counter):
    text = "short and sweet"
    assert cut_middle(text, counter.count(text), counter) is text


@pytest.mark.parametrize("most", [0, 1, 2, 5, 10, 12, 15, 20, 25])
def test_without_room_for_the_note_there_is_only_a_head(counter, most):
    text = SAMPLES["english"] * 10
    result = cut_middle(text, most, counter)
    assert counter.count(result) <= most
    assert "[…" in result or text.startswith(result)


@settings(deadline=None, max_examples=150)
@given(text=st.text(max_size=400), most=st.integers(0, 60), repeat=st.sampled_from([1, 7]))
@pytest.mark.parametrize("kind", ["exact", "estimate"])
def test_whatever_is_cut_never_has_more_tokens_than_allowed(exact, kind, text, most, repeat):
    counter = exact if kind == "exact" else Estimate()
    text *= repeat
    result = cut_middle(text, most, counter)
    assert counter.count(result) <= most
    if counter.count(text) <= most:
        assert result == text


@pytest.mark.parametrize("unit", ["word ", "a", " ", "語", "😀"])
def test_a_megabyte_can_be_cut(counter, unit):
    text = unit * (1_000_000 // len(unit))
    result = cut_middle(text, 6000, counter)
    assert 5000 < counter.count(result) <= 6000


def test_parts_that_cost_more_together_are_cut_again():
    class Spiteful(Estimate):
        def count(self, text):
            return super().count(text) + (9 if "left out" in text and len(text) > 40 else 0)

    counter = Spiteful()
    assert counter.count(cut_middle(SAMPLES["english"] * 20, 60, counter)) <= 60


def test_one_token_is_one_token():
    assert "1 token left" in cutting._note(1)
    assert "2 tokens left" in cutting._note(2)


# Calibration


def test_openai_is_taken_at_its_word_and_others_with_caution():
    assert Calibration(openai=True).ratio == 1.0
    assert Calibration(openai=False).ratio == 1.3


def test_the_ratio_goes_to_what_is_reported_quickly_up_and_slowly_down():
    calibration = Calibration(openai=False)
    for _ in range(6):
        calibration.learn(1000, 2000)
    assert calibration.ratio == pytest.approx(2.0, abs=0.02)
    for _ in range(6):
        calibration.learn(1000, 1000)
    assert 1.5 < calibration.ratio < 1.6
    for _ in range(60):
        calibration.learn(1000, 1000)
    assert calibration.ratio == pytest.approx(1.0, abs=0.01)


def test_what_windows_are_measured_by_stays_while_answers_differ_by_a_little():
    """Each change moves the beginning of every full window, which the provider's prompt cache then has no more."""
    calibration = Calibration(openai=True)
    for reported in (1_000, 1_030, 990, 1_020, 1_031):
        calibration.learn(1_000, reported)
        assert calibration.measure == 1.0
    calibration.learn(1_000, 1_500)
    assert calibration.measure == 1.3125
    for reported in (1_250, 1_300, 1_330, 1_220):
        calibration.learn(1_000, reported)
        assert calibration.measure == 1.3125


@given(reports=st.lists(st.integers(1, 10_000)), openai=st.booleans())
def test_what_windows_are_measured_by_is_never_far_from_what_was_learned(reports, openai):
    calibration = Calibration(openai=openai)
    for reported in reports:
        calibration.learn(1_000, reported)
        assert calibration.ratio / 1.032 <= calibration.measure <= calibration.ratio + 0.1251


@pytest.mark.parametrize(("counted", "reported"), [(0, 100), (-5, 100), (49, 1000), (1000, 0), (1000, -1)])
def test_nonsense_teaches_nothing(counted, reported):
    calibration = Calibration(openai=False)
    calibration.learn(counted, reported)
    assert calibration.ratio == 1.3


def test_no_report_drives_the_ratio_out_of_reason():
    calibration = Calibration(openai=True)
    for _ in range(100):
        calibration.learn(100, 10**9)
    assert calibration.ratio <= 4.0
    for _ in range(1000):
        calibration.learn(1000, 600)
    assert calibration.ratio == pytest.approx(1.0)


@given(reports=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6))), openai=st.booleans())
def test_no_report_teaches_that_there_are_fewer_tokens_than_we_count(reports, openai):
    """D12: what English talk teaches must not shrink the Japanese that comes next."""
    calibration = Calibration(openai=openai)
    for counted, reported in reports:
        calibration.learn(counted, reported)
    assert 1.0 <= calibration.ratio <= 4.0


def test_a_server_that_drops_the_head_of_a_prompt_is_not_believed_and_that_is_said_once():
    """B11."""
    calibration = Calibration(openai=False)
    calibration.learn(1000, 1900)
    taught = calibration.ratio
    with capture_logs() as logs:
        for counted, reported in [(13_000, 3_900), (13_000, 4_096), (20_000, 4_000)]:
            calibration.learn(counted, reported)
    assert calibration.ratio == taught
    assert calibration.read == 4_096, "about as large is its context"
    (line,) = logs
    assert (line["log_level"], line["sent"], line["reported"]) == ("warning", 13_000, 3_900)
    assert "num_ctx" in line["remedy"]
    assert "BACKSCROLL_CONTEXT_TOKENS" in line["remedy"]


def test_a_server_that_counts_what_the_estimate_guessed_too_high_is_believed():
    calibration = Calibration(openai=False, excess=Estimate.excess)
    with capture_logs() as logs:
        calibration.learn(5000, 1000)
    assert calibration.ratio < 1.3
    assert calibration.read is None
    assert logs == []
