"""Texts of mail as HTML that shows the same (W-2)."""

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.administration.default_texts import TEXTS
from holdfast.administration.marking_up import as_html, page_of
from holdfast.administration.placeholders import slips, without_empty_lines
from holdfast.administration.templates import MESSAGES, Channel, Locale, Name, Text, rendered, usual
from holdfast.kernel.languages import LANGUAGES


class Read(HTMLParser):
    """What a reader of HTML sees: the words, the addresses of links, and what is open at the end."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.links: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open what has an end."""
        self.links += [value for name, value in attrs if name == "href" and value is not None]
        if tag not in ("br", "meta"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Close what is open."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Hear words."""
        self.words += data.split()


def test_words_before_an_address_are_its_link() -> None:
    """Nobody reads an address: the words that end in a colon before it lead there; other addresses are links too."""
    shown = as_html("Hello,\n\nmove it here:\n{{ manage_link }}\n\nor look at https://example.org/a?b=1&c=2.\nBye")
    assert '<a href="{{ manage_link }}">move it here</a>' in shown
    assert Read(shown).links == ["{{ manage_link }}", "https://example.org/a?b=1&c=2"]
    assert Read(shown).words[-4:] == ["at", "https://example.org/a?b=1&c=2", ".", "Bye"]


@given(st.text(alphabet="ab <>&\"'\n{}:/", max_size=80))
def test_nothing_that_is_written_is_markup(text: str) -> None:
    """The words of a text are those of its HTML, whatever they look like, and every tag of it is closed."""
    read = Read(as_html(text))
    assert "".join(read.words) == "".join(text.split())
    assert read.open == []


def test_a_page_is_made_once() -> None:
    """What a business has written as a whole page stays as it is; anything else gets language and title."""
    whole = "<!doctype html><HTML lang=de><p>x</p></HTML>"
    assert page_of(whole, language="en", title="t") == whole
    assert '<html lang="ru">' in page_of("<p>x</p>", language="ru", title="<t>")
    assert "<title>&lt;t&gt;</title>" in page_of("<p>x</p>", language="ru", title="<t>")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", sorted(MESSAGES))
def test_there_is_a_usual_text_for_every_message(kind: str, language: str) -> None:
    """Each message is written in each language, holds its own placeholders only, and leaves none of them empty (W-2)."""
    assert set(TEXTS) == set(MESSAGES)
    subject, body = TEXTS[kind][language]
    assert slips(subject, MESSAGES[kind]) == slips(body, MESSAGES[kind]) == []
    for channel in (Channel.EMAIL, Channel.EMAIL_HTML):
        text = usual(Name(kind, Locale(language), channel))
        shown = rendered(channel, text, MESSAGES[kind])
        assert "{{" not in f"{shown.subject}{shown.body}"
        nothing = rendered(channel, text, dict.fromkeys(MESSAGES[kind], ""))
        assert Read(nothing.body).open == []
    assert all(ord(letter) < 0x2E80 for letter in body)
    assert (language == "ru") == any("а" <= letter <= "я" for letter in body.casefold())


def test_a_line_that_has_nothing_to_say_is_left_out() -> None:
    """A line whose placeholders are all empty goes, with the paragraph that it was; others stay to the letter."""
    text = "a {{ x }}\nb {{ y }}\n\nc {{ x }} {{ y }}\n\n{{ x }}\n\nd"
    assert without_empty_lines(text, {"x": "", "y": "1"}) == "b {{ y }}\n\nc {{ x }} {{ y }}\n\nd"
    assert without_empty_lines("{{\n x }} {{ x }}", {"x": ""}) == "{{\n x }} {{ x }}"
    assert rendered(Channel.SMS, Text(None, "a\n{{ x }}\nb"), {"x": ""}).body == "a\nb"
