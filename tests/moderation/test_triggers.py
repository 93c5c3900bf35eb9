"""Which texts may tell of a crisis."""

import pytest

from holdfast.moderation.triggers import CATEGORIES, categories_of, guidance, normalised

CRISES = [
    ("Я больше не хочу жить.", ["suicide"]),
    ("НЕ   ХОЧУ — ЖИТЬ!!!", ["suicide"]),
    ("Бывают суицидальные мысли", ["suicide"]),
    ("свести счёты с жизнью", ["suicide"]),
    ("I don't want to live", ["suicide"]),
    ("I don’t want to live", ["suicide"]),
    ("he wants to kill himself; suicidal?", ["suicide"]),
    ("Я режу себя, когда плохо", ["self_harm"]),
    ("I keep cutting myself", ["self_harm"]),
    ("Муж бьёт меня и угрожает убить", ["violence"]),
    ("my husband is hitting me", ["violence"]),
    ("Меня изнасиловали", ["abuse"]),
    ("my uncle molested me", ["abuse"]),
    ("У меня булимия", ["eating_disorder"]),
    ("боюсь передозировки", ["substances"]),
    ("Хочу умереть, режу себя", ["suicide", "self_harm"]),
    ("хо\u200bчу уме\u0301реть", ["suicide"]),
    # Other forms of the same words: past, plural, another person.
    ("Вчера я хотела умереть", ["suicide"]),
    ("брат покончил с собой", ["suicide"]),
    ("она повесилась", ["suicide"]),
    ("не вижу смысла жить", ["suicide"]),
    ("мысли о смерти не уходят", ["suicide"]),
    ("I wanted to die, and I nearly killed myself", ["suicide"]),
    ("She doesn't want to live", ["suicide"]),
    ("Порезала вены, и раньше резал себя", ["self_harm"]),
    ("I slit my wrists", ["self_harm"]),
    ("Отчим меня бил, мать избивала меня", ["violence"]),
    ("муж избил меня", ["violence"]),
    ("he beat me last night", ["violence"]),
    ("I was abused as a child", ["abuse"]),
    ("Голодаю третью неделю", ["eating_disorder"]),
    # Written so that a machine would not see it.
    ("су1цид", ["suicide"]),
    ("cyицид", ["suicide"]),
    ("суїцид", ["suicide"]),
    ("suicidе with a Cyrillic letter", ["suicide"]),
    ("su1c1de", ["suicide"]),
    ("$uicide", ["suicide"]),
    ("k!ll myself", ["suicide"]),
    ("с у и ц и д", ["suicide"]),
    ("s-u-i-c-i-d-e", ["suicide"]),
    ("не х о ч у жить", ["suicide"]),
]
CALM = [
    "Как лучше спать?",
    "Хочу жить у моря",
    "Мой ребёнок не хочет идти в школу",
    "How do I stop worrying?",
    "I hurt my knee",
    "grape juice and therapeutic walks",
    "Повесила картину, а муж избирателен",
    "Рапс по-английски - rapeseed",
    "I ran 10 kms, a b c d e",
    "Он живёт с собой в согласии",
    "",
    "?!",
]


@pytest.mark.parametrize(("text", "categories"), CRISES, ids=[text for text, _ in CRISES])
def test_a_crisis_is_seen(text: str, categories: list[str]) -> None:
    """A text that may tell of a crisis has its categories, however it is written (D-5)."""
    assert categories_of(text) == categories


@pytest.mark.parametrize("text", CALM)
def test_a_calm_text_is_left_alone(text: str) -> None:
    """A text in which no listed word stands by itself has no category."""
    assert categories_of(text) == []


def test_guidance_is_there_for_every_language() -> None:
    """Guidance is in Russian or English, one line of words, for whatever language was asked in (U-4)."""
    assert guidance("ru").startswith("Мы прочтём")
    assert guidance("ru-RU") == guidance("ru")
    assert guidance("de") == guidance("en")
    assert "\n" not in guidance("en")
    assert len(CATEGORIES) == 6


def test_words_are_normalised() -> None:
    """Case, accents, ё and punctuation play no part; й stays a letter of its own."""
    assert normalised("  Ещё, ЙОД — не\u0301т!  ") == "еще йод нет"
