"""What a business of practice.py publishes: an item with all that can stand around one, and a quiz with a run."""

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from journeys.practice import Tenant

QUIZ = {
    "kind": "quiz",
    "title": "Q",
    "questions": [
        {
            "id": "q",
            "text": "q",
            "options": [{"id": "a", "text": "a", "points": 0}, {"id": "b", "text": "b", "points": 1}],
        }
    ],
    "levels": [{"id": "low", "from": 0, "to": 1, "title": "low"}],
}


def fill_shelf(tenant: "Tenant") -> None:
    """Give a business a row of each kind."""
    item, essay = {"item_id": tenant.id("essay")}, {"id": tenant.id("essay")}
    tenant.insert("topics", id=tenant.id("topic"), slug="topic", name_ru="t", name_en="t")
    tenant.insert("tags", id=tenant.id("tag"), slug="tag", name="t")
    file = {"media_type": "image/png", "bytes": 1, "alt_text": "", "location": "/a.png"}
    tenant.insert("media_assets", id=tenant.id("picture"), sha256=bytes(32), **file)
    tenant.insert("content_items", **essay, type="article", slug="essay", locale="ru")
    tenant.insert("content_versions", **item, number=1, title="t", summary="", body="")
    for state, pin in (("review", "null"), ("published", "1")):
        tenant.run(
            "update content_items set state = %(state)s, version = version + 1, published_version = "
            f"{pin}, published_at = case when {pin} = 1 then now() end"
            " where business_id = %(business)s and id = %(id)s",
            state=state,
            **essay,
        )
    tenant.insert("content_item_topics", **item, topic_id=tenant.id("topic"))
    tenant.insert("content_item_tags", **item, tag_id=tenant.id("tag"))
    tenant.insert("content_media", **item, version_number=1, position=1, media_id=tenant.id("picture"))
    tenant.insert("curated_collections", id=tenant.id("shelf"), slug="shelf", title="s")
    tenant.insert("curated_items", collection_id=tenant.id("shelf"), position=1, **item)
    tenant.insert("glossary_terms", id=tenant.id("term"), term="Term", definition="d", locale="ru")
    tenant.insert("glossary_term_synonyms", folded="term", term_id=tenant.id("term"), synonym="Term")
    quiz = {"definition_id": tenant.id("quiz")}
    tenant.insert("interactive_definitions", id=tenant.id("quiz"), kind="quiz", slug="quiz", locale="ru")
    tenant.insert("interactive_versions", **quiz, number=1, definition=json.dumps(QUIZ))
    tenant.insert("interactive_runs", id=tenant.id("run"), **quiz, version_number=1)
