"""Where pages that tell of things of others lead."""

import re

from holdfast import config, web
from holdfast.admin.attention_words import WORDS
from holdfast.admin.linking import PAGES


def test_every_link_leads_to_a_page() -> None:
    """What the inbox and the log lead to is a page that is served, and each kind of item leads somewhere (U-3)."""
    served = {
        re.sub(r"\{[^}]*\}", "{}", path)
        for route in web.handlers(config.Settings())
        if "GET" in route.http_methods
        for path in route.paths
    }
    assert {kind: path for kind, path in PAGES.items() if path not in served} == {}
    assert [kind for kind, words in WORDS.items() if words.leads_to[0] not in PAGES] == []
