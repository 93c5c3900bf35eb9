"""Damages like those of references.py, for what businesses publish."""

import json

from journeys.damages import NOWHERE, Damage, says
from journeys.practice import the
from journeys.references import MINE, NEW, row, theirs
from journeys.shelf import QUIZ

CONTENT = "content.content_refers_to_its_own_business"
INTERACTIVE = "interactive.interactives_refer_to_their_own_business"

ESSAY, SHELF, QUIZ_ID = the("essay"), the("shelf"), the("quiz")
NAMES = {"id": NEW, "slug": "new"}
FILE = {"media_type": "image/png", "bytes": 1, "alt_text": "", "location": "/a.png"}
TEXT = {"title": "t", "summary": "", "body": ""}
MEDIA = {"position": 2, "media_id": the("picture")}


def updated(table: str, changes: str, row_id: str) -> str:
    """Return SQL that changes a row with a version."""
    return f"update {table} set version = version + 1, {changes} where id = '{row_id}' and business_id = '{MINE}';"


# By the name of the foreign key.
CONTENT_REFERENCES: dict[str, Damage] = {
    "topics_business_id_fkey": (
        row("topics", NOWHERE, **NAMES, name_ru="n", name_en="n"),
        {says(CONTENT, NEW, NOWHERE)},
    ),
    "tags_business_id_fkey": (row("tags", NOWHERE, **NAMES, name="n"), {says(CONTENT, NEW, NOWHERE)}),
    "media_assets_business_id_fkey": (
        row("media_assets", NOWHERE, id=NEW, sha256="\\x" + "01" * 32, **FILE),
        {says(CONTENT, NEW, NOWHERE)},
    ),
    "content_items_business_id_fkey": (
        row("content_items", NOWHERE, **NAMES, type="page", locale="en"),
        {says(CONTENT, NEW, NOWHERE)},
    ),
    "content_items_published_version": (
        updated("content_items", "published_version = 7", ESSAY),
        {says(CONTENT, ESSAY, f"{ESSAY}/7")},
    ),
    "content_versions_item": (
        row("content_versions", item_id=theirs("essay"), number=2, **TEXT),
        {says(CONTENT, f"{theirs('essay')}/2", theirs("essay"))},
    ),
    "content_item_topics_item": (
        row("content_item_topics", item_id=theirs("essay"), topic_id=the("topic")),
        {says(CONTENT, the("topic"), theirs("essay"))},
    ),
    "content_item_topics_topic": (
        row("content_item_topics", item_id=ESSAY, topic_id=theirs("topic")),
        {says(CONTENT, ESSAY, theirs("topic"))},
    ),
    "content_item_tags_item": (
        row("content_item_tags", item_id=theirs("essay"), tag_id=the("tag")),
        {says(CONTENT, the("tag"), theirs("essay"))},
    ),
    "content_item_tags_tag": (
        row("content_item_tags", item_id=ESSAY, tag_id=theirs("tag")),
        {says(CONTENT, ESSAY, theirs("tag"))},
    ),
    "content_media_version": (
        row("content_media", item_id=theirs("essay"), version_number=1, **MEDIA),
        {says(CONTENT, the("picture"), f"{theirs('essay')}/1")},
    ),
    "content_media_media": (
        row("content_media", item_id=ESSAY, version_number=1, position=2, media_id=theirs("picture")),
        {says(CONTENT, f"{ESSAY}/1", theirs("picture"))},
    ),
    "curated_collections_business_id_fkey": (
        row("curated_collections", NOWHERE, **NAMES, title="n"),
        {says(CONTENT, NEW, NOWHERE)},
    ),
    "curated_items_collection": (
        row("curated_items", collection_id=theirs("shelf"), position=2, item_id=ESSAY),
        {says(CONTENT, ESSAY, theirs("shelf"))},
    ),
    "curated_items_item": (
        row("curated_items", collection_id=SHELF, position=2, item_id=theirs("essay")),
        {says(CONTENT, SHELF, theirs("essay"))},
    ),
    "glossary_terms_business_id_fkey": (
        row("glossary_terms", NOWHERE, id=NEW, term="n", definition="d", locale="en"),
        {says(CONTENT, NEW, NOWHERE)},
    ),
    "glossary_term_synonyms_term": (
        row("glossary_term_synonyms", folded="word", term_id=theirs("term"), synonym="word"),
        {says(CONTENT, "word", theirs("term"))},
    ),
    "interactive_definitions_business_id_fkey": (
        row("interactive_definitions", NOWHERE, **NAMES, kind="quiz", locale="en"),
        {says(INTERACTIVE, NEW, NOWHERE)},
    ),
    "interactive_definitions_published_version": (
        updated("interactive_definitions", "state = 'published', published_version = 7", QUIZ_ID),
        {says(INTERACTIVE, QUIZ_ID, f"{QUIZ_ID}/7")},
    ),
    "interactive_versions_definition": (
        row("interactive_versions", definition_id=theirs("quiz"), number=2, definition=json.dumps(QUIZ)),
        {says(INTERACTIVE, f"{theirs('quiz')}/2", theirs("quiz"))},
    ),
    "interactive_runs_version": (
        row("interactive_runs", id=NEW, definition_id=theirs("quiz"), version_number=1),
        {says(INTERACTIVE, NEW, f"{theirs('quiz')}/1")},
    ),
}
