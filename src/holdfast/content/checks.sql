-- What must be true of content, computed anew from the rows (B-25).
-- Each statement returns no row on a sound database; a row is one violation: business_id, ids, problem.

-- name: content_refers_to_its_own_business
-- Invariant 9: what content refers to exists in its own business, and that exists too. The ids are the row that refers
-- (of a row without an id the other side of it) and the row that it refers to; a version is its item and its number.
with referring as (
    select t.business_id, 'topic' as source, t.id::text as id, 'business' as kind, t.business_id::text as target_id
      from topics t
    union all
    select t.business_id, 'tag', t.id::text, 'business', t.business_id::text from tags t
    union all
    select a.business_id, 'media asset', a.id::text, 'business', a.business_id::text from media_assets a
    union all
    select i.business_id, 'item', i.id::text, 'business', i.business_id::text from content_items i
    union all
    select i.business_id, 'item', i.id::text, 'version', concat(i.id, '/', i.published_version)
      from content_items i where i.published_version is not null
    union all
    select v.business_id, 'version', concat(v.item_id, '/', v.number), 'item', v.item_id::text from content_versions v
    union all
    select c.business_id, 'topic of an item', c.topic_id::text, 'item', c.item_id::text from content_item_topics c
    union all
    select c.business_id, 'topic of item', c.item_id::text, 'topic', c.topic_id::text from content_item_topics c
    union all
    select c.business_id, 'tag of an item', c.tag_id::text, 'item', c.item_id::text from content_item_tags c
    union all
    select c.business_id, 'tag of item', c.item_id::text, 'tag', c.tag_id::text from content_item_tags c
    union all
    select m.business_id, 'media of a version', m.media_id::text, 'version',
           concat(m.item_id, '/', m.version_number) from content_media m
    union all
    select m.business_id, 'media of version', concat(m.item_id, '/', m.version_number), 'media asset',
           m.media_id::text from content_media m
    union all
    select c.business_id, 'collection', c.id::text, 'business', c.business_id::text from curated_collections c
    union all
    select k.business_id, 'item of a collection', k.item_id::text, 'collection', k.collection_id::text
      from curated_items k
    union all
    select k.business_id, 'item of collection', k.collection_id::text, 'item', k.item_id::text from curated_items k
    union all
    select g.business_id, 'term', g.id::text, 'business', g.business_id::text from glossary_terms g
    union all
    select s.business_id, 'name', s.folded, 'term', s.term_id::text from glossary_term_synonyms s
), targets as (
    select 'business' as kind, b.id as business_id, b.id::text as id from businesses b
    union all
    select 'topic', t.business_id, t.id::text from topics t
    union all
    select 'tag', t.business_id, t.id::text from tags t
    union all
    select 'media asset', a.business_id, a.id::text from media_assets a
    union all
    select 'item', i.business_id, i.id::text from content_items i
    union all
    select 'version', v.business_id, concat(v.item_id, '/', v.number) from content_versions v
    union all
    select 'collection', c.business_id, c.id::text from curated_collections c
    union all
    select 'term', g.business_id, g.id::text from glossary_terms g
), strays as materialized (
    select r.* from referring r
     where not exists (select from targets t
                        where t.kind = r.kind and t.business_id = r.business_id and t.id = r.target_id)
)
select s.business_id, array[s.id, s.target_id] as ids,
       concat(s.source, ' ', s.id, ' refers to ', s.kind, ' ', s.target_id, ', which ',
              case when t.id is null then 'does not exist'
                   else concat('belongs to business ', t.business_id) end) as problem
  from strays s
  left join targets t on t.kind = s.kind and t.id = s.target_id;
