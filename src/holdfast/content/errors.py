"""What can go wrong with content."""

from holdfast.kernel.errors import UserError


class ContentSlugTaken(UserError):
    """Another item of this type has the slug."""

    code, status, message = "content_slug_taken", 409, "Another item of this type has this slug"
    constraint = "content_items_slug"
    field = "slug"


class ContentStepNotAllowed(UserError):
    """The item is in a state from which this does not lead on; `details.status` says in which."""

    code, status = "content_step_not_allowed", 409
    message = "This is not possible in the state in which the item is"
    constraint = "content_items_transition"


class ContentAddressFixed(UserError):
    """What is public keeps its slug and its language; archive it first."""

    code, status = "content_address_fixed", 409
    message = "A published item keeps its slug and its locale; archive it first"
    constraint = "content_items_address"


class TopicSlugTaken(UserError):
    """Another topic of the business has the slug."""

    code, status, message = "topic_slug_taken", 409, "Another topic has this slug"
    constraint = "topics_slug"
    field = "slug"


class TagSlugTaken(UserError):
    """Another tag of the business has the slug."""

    code, status, message = "tag_slug_taken", 409, "Another tag has this slug"
    constraint = "tags_slug"
    field = "slug"


class CollectionSlugTaken(UserError):
    """Another collection of the business has the slug."""

    code, status, message = "collection_slug_taken", 409, "Another collection has this slug"
    constraint = "curated_collections_slug"
    field = "slug"


class MediaKnown(UserError):
    """The business has an asset with the same bytes."""

    code, status, message = "media_known", 409, "There is an asset with these bytes already"
    constraint = "media_assets_sha256"
    field = "sha256"


class GlossaryNameTaken(UserError):
    """Another term has this name, as its own or as a synonym; upper and lower case are the same.

    `details.field` says which: `term`, or a place in `synonyms`.
    """

    code, status, message = "glossary_name_taken", 409, "Another term has this name or synonym"
    constraint = "glossary_term_synonyms_name"
    field = "term"


class TopicInUse(UserError):
    """Items have the topic; it can be removed once none has."""

    code, status, message = "topic_in_use", 409, "Items have this topic"
    constraint = "content_item_topics_topic"


class TagInUse(UserError):
    """Items have the tag; it can be removed once none has."""

    code, status, message = "tag_in_use", 409, "Items have this tag"
    constraint = "content_item_tags_tag"


class MediaInUse(UserError):
    """Versions show the asset, and they stay as they are."""

    code, status, message = "media_in_use", 409, "Versions of items show this asset"
    constraint = "content_media_media"
