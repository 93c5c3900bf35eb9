-- What a business publishes: items in versions, what sorts them, media, collections, and a glossary.
-- depends: 0005_privacy

create table topics (
    business_id uuid not null references businesses (id),
    id uuid not null default uuidv7(),
    slug text not null,
    name_ru text not null,
    name_en text not null,
    created_at timestamptz not null default clock_timestamp(),
    primary key (business_id, id),
    constraint topics_slug unique (business_id, slug),
    constraint topics_slug_shape check (slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$' and length(slug) <= 120),
    constraint topics_names_length check (length(name_ru) between 1 and 200 and length(name_en) between 1 and 200)
);

create table tags (
    business_id uuid not null references businesses (id),
    id uuid not null default uuidv7(),
    slug text not null,
    name text not null,
    created_at timestamptz not null default clock_timestamp(),
    primary key (business_id, id),
    constraint tags_slug unique (business_id, slug),
    constraint tags_slug_shape check (slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$' and length(slug) <= 120),
    constraint tags_name_length check (length(name) between 1 and 200)
);

-- What a file is and where it lies; its bytes are elsewhere.
create table media_assets (
    business_id uuid not null references businesses (id),
    id uuid not null default uuidv7(),
    sha256 bytea not null,
    media_type text not null,
    bytes bigint not null,
    alt_text text not null,
    location text not null,
    created_at timestamptz not null default clock_timestamp(),
    primary key (business_id, id),
    constraint media_assets_sha256 unique (business_id, sha256),
    constraint media_assets_sha256_length check (octet_length(sha256) = 32),
    constraint media_assets_media_type_shape check (media_type ~ '^[a-z]+/[a-z0-9.+-]+$' and length(media_type) <= 100),
    constraint media_assets_bytes_range check (bytes between 1 and 1099511627776),
    constraint media_assets_alt_text_length check (length(alt_text) <= 500),
    constraint media_assets_location_length check (length(location) between 1 and 1000)
);

create table content_items (
    business_id uuid not null references businesses (id),
    id uuid not null default uuidv7(),
    type text not null,
    slug text not null,
    locale text not null,
    state text not null default 'draft',
    -- Raised by each change, so that nobody overwrites what he has not seen.
    version integer not null default 1,
    -- The version of its text that the public sees, whatever has been written since.
    published_version integer,
    -- Since when it has been public.
    published_at timestamptz,
    created_at timestamptz not null default clock_timestamp(),
    updated_at timestamptz not null default clock_timestamp(),
    primary key (business_id, id),
    -- One index for the rule and for the page that asks for type, slug and state.
    constraint content_items_slug unique (business_id, type, slug) include (state),
    constraint content_items_type_known check (type in ('article', 'exercise', 'story', 'faq', 'page')),
    constraint content_items_slug_shape check (slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$' and length(slug) <= 120),
    constraint content_items_locale_shape check (locale ~ '^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$' and length(locale) <= 35),
    constraint content_items_state_known check (state in ('draft', 'review', 'published', 'archived')),
    constraint content_items_published_whole check (
        (state = 'published') = (published_version is not null) and (state = 'published') = (published_at is not null)
    )
);
-- The lists of staff and of the public, newest first.
create index content_items_made on content_items (business_id, created_at, id);
create index content_items_public on content_items (business_id, published_at, id) where state = 'published';

-- Every save is a row, which nobody changes afterwards.
create table content_versions (
    business_id uuid not null,
    item_id uuid not null,
    number integer not null,
    title text not null,
    summary text not null,
    -- Markdown.
    body text not null,
    restored_from integer,
    created_at timestamptz not null default clock_timestamp(),
    created_by uuid,
    primary key (business_id, item_id, number),
    constraint content_versions_item foreign key (business_id, item_id) references content_items (business_id, id),
    constraint content_versions_number_range check (number >= 1),
    constraint content_versions_title_length check (length(title) between 1 and 200),
    constraint content_versions_summary_length check (length(summary) <= 1000),
    constraint content_versions_body_length check (length(body) <= 30000),
    constraint content_versions_restored_from_range check (restored_from between 1 and number - 1)
);
alter table content_items add constraint content_items_published_version
    foreign key (business_id, id, published_version) references content_versions (business_id, item_id, number);

-- Topics and tags sort an item as a whole and are no part of its text.
create table content_item_topics (
    business_id uuid not null,
    item_id uuid not null,
    topic_id uuid not null,
    primary key (business_id, item_id, topic_id),
    constraint content_item_topics_item foreign key (business_id, item_id) references content_items (business_id, id),
    constraint content_item_topics_topic foreign key (business_id, topic_id) references topics (business_id, id)
);
create index content_item_topics_by_topic on content_item_topics (business_id, topic_id);

create table content_item_tags (
    business_id uuid not null,
    item_id uuid not null,
    tag_id uuid not null,
    primary key (business_id, item_id, tag_id),
    constraint content_item_tags_item foreign key (business_id, item_id) references content_items (business_id, id),
    constraint content_item_tags_tag foreign key (business_id, tag_id) references tags (business_id, id)
);
create index content_item_tags_by_tag on content_item_tags (business_id, tag_id);

-- What a version shows, from position 1 on. It belongs to the version, so that one that is restored is whole.
create table content_media (
    business_id uuid not null,
    item_id uuid not null,
    version_number integer not null,
    position smallint not null,
    media_id uuid not null,
    primary key (business_id, item_id, version_number, position),
    constraint content_media_version foreign key (business_id, item_id, version_number)
        references content_versions (business_id, item_id, number),
    constraint content_media_media foreign key (business_id, media_id) references media_assets (business_id, id),
    constraint content_media_position_range check (position between 1 and 50)
);
create index content_media_by_media on content_media (business_id, media_id);

create table curated_collections (
    business_id uuid not null references businesses (id),
    id uuid not null default uuidv7(),
    slug text not null,
    title text not null,
    description text not null default '',
    published boolean not null default false,
    created_at timestamptz not null default clock_timestamp(),
    primary key (business_id, id),
    constraint curated_collections_slug unique (business_id, slug),
    constraint curated_collections_slug_shape check (slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$' and length(slug) <= 120),
    constraint curated_collections_title_length check (length(title) between 1 and 200),
    constraint curated_collections_description_length check (length(description) <= 1000)
);

create table curated_items (
    business_id uuid not null,
    collection_id uuid not null,
    position smallint not null,
    item_id uuid not null,
    primary key (business_id, collection_id, position),
    constraint curated_items_once unique (business_id, collection_id, item_id),
    constraint curated_items_collection foreign key (business_id, collection_id)
        references curated_collections (business_id, id) on delete cascade,
    constraint curated_items_item foreign key (business_id, item_id) references content_items (business_id, id),
    constraint curated_items_position_range check (position between 1 and 200)
);
create index curated_items_by_item on curated_items (business_id, item_id);

create table glossary_terms (
    business_id uuid not null references businesses (id),
    id uuid not null default uuidv7(),
    term text not null,
    definition text not null,
    locale text not null,
    created_at timestamptz not null default clock_timestamp(),
    primary key (business_id, id),
    constraint glossary_terms_term_length check (length(term) between 1 and 200),
    constraint glossary_terms_definition_length check (length(definition) between 1 and 5000),
    constraint glossary_terms_locale_shape check (locale ~ '^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$' and length(locale) <= 35)
);

-- Every name by which a term is found, its own among them: so one key keeps them apart across terms and synonyms.
create table glossary_term_synonyms (
    business_id uuid not null,
    -- The name without regard to case and spacing, as `fold` of content/glossary.py writes it.
    folded text not null,
    term_id uuid not null,
    synonym text not null,
    constraint glossary_term_synonyms_name primary key (business_id, folded),
    constraint glossary_term_synonyms_term foreign key (business_id, term_id)
        references glossary_terms (business_id, id) on delete cascade,
    constraint glossary_term_synonyms_length check (length(synonym) between 1 and 200 and length(folded) between 1 and 800)
);
create index glossary_term_synonyms_by_term on glossary_term_synonyms (business_id, term_id);

-- What TRANSITIONS of content/states.py says; a test compares the two.
create function content_may_become(p_before text, p_after text) returns boolean
language sql immutable parallel safe as $$
    select (p_before, p_after) in (('draft', 'review'), ('review', 'draft'), ('review', 'published'),
                                   ('published', 'archived'), ('archived', 'draft'))
$$;

create function guard_content_change() returns trigger
language plpgsql as $$
begin
    if new.version is distinct from old.version + 1 then
        raise exception 'a change of content raises its version by one'
            using errcode = 'check_violation', constraint = 'content_items_version_step';
    end if;
    if new.state <> old.state and not content_may_become(old.state, new.state) then
        raise exception 'content does not become % after %', new.state, old.state
            using errcode = 'check_violation', constraint = 'content_items_transition';
    end if;
    if old.state = 'published' and new.state = 'published'
       and (new.type, new.slug, new.locale) is distinct from (old.type, old.slug, old.locale) then
        raise exception 'published content keeps its address'
            using errcode = 'check_violation', constraint = 'content_items_address';
    end if;
    return new;
end $$;

create trigger guard_content_change before update on content_items
    for each row execute function guard_content_change();

do $$
declare
    v_table text;
begin
    foreach v_table in array array['topics', 'tags', 'media_assets', 'content_items', 'content_versions',
                                   'content_item_topics', 'content_item_tags', 'content_media', 'curated_collections',
                                   'curated_items', 'glossary_terms', 'glossary_term_synonyms']
    loop
        perform isolate(v_table::regclass);
    end loop;
end $$;

grant select, insert, update, delete on topics, tags, media_assets, curated_collections, glossary_terms to holdfast_app;
grant select, insert, delete on content_item_topics, content_item_tags, curated_items, glossary_term_synonyms
    to holdfast_app;
grant select, insert, update on content_items to holdfast_app;
grant select, insert on content_versions, content_media to holdfast_app;
