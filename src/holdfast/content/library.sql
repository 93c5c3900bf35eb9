-- What stands around items: topics, tags, media, collections, the glossary.

-- name: list_topics
select t.id, t.slug, t.name_ru, t.name_en, t.created_at
  from topics t
 where t.business_id = %(business_id)s
   and (%(after)s::timestamptz is null or (t.created_at, t.id) > (%(after)s, %(after_id)s::uuid))
 order by t.created_at, t.id limit %(limit)s;

-- name: add_topic
insert into topics (business_id, id, slug, name_ru, name_en)
values (%(business_id)s, %(id)s, %(slug)s, %(name_ru)s, %(name_en)s)
returning id, slug, name_ru, name_en, created_at;

-- name: change_topic
update topics
   set slug = coalesce(%(slug)s::text, slug), name_ru = coalesce(%(name_ru)s::text, name_ru),
       name_en = coalesce(%(name_en)s::text, name_en)
 where business_id = %(business_id)s and id = %(id)s
returning id, slug, name_ru, name_en, created_at;

-- name: remove_topic
delete from topics where business_id = %(business_id)s and id = %(id)s;

-- name: list_tags
select t.id, t.slug, t.name, t.created_at
  from tags t
 where t.business_id = %(business_id)s
   and (%(after)s::timestamptz is null or (t.created_at, t.id) > (%(after)s, %(after_id)s::uuid))
 order by t.created_at, t.id limit %(limit)s;

-- name: add_tag
insert into tags (business_id, id, slug, name)
values (%(business_id)s, %(id)s, %(slug)s, %(name)s)
returning id, slug, name, created_at;

-- name: change_tag
update tags set slug = coalesce(%(slug)s::text, slug), name = coalesce(%(name)s::text, name)
 where business_id = %(business_id)s and id = %(id)s
returning id, slug, name, created_at;

-- name: remove_tag
delete from tags where business_id = %(business_id)s and id = %(id)s;

-- name: list_media
select a.id, encode(a.sha256, 'hex') as sha256, a.media_type, a.bytes, a.alt_text, a.location, a.created_at
  from media_assets a
 where a.business_id = %(business_id)s
   and (%(after)s::timestamptz is null or (a.created_at, a.id) > (%(after)s, %(after_id)s::uuid))
 order by a.created_at, a.id limit %(limit)s;

-- name: add_media
insert into media_assets (business_id, id, sha256, media_type, bytes, alt_text, location)
values (%(business_id)s, %(id)s, decode(%(sha256)s, 'hex'), %(media_type)s, %(bytes)s, %(alt_text)s, %(location)s)
returning id, encode(sha256, 'hex') as sha256, media_type, bytes, alt_text, location, created_at;

-- name: change_media
-- What the bytes are never changes: other bytes are another asset.
update media_assets
   set alt_text = coalesce(%(alt_text)s::text, alt_text), location = coalesce(%(location)s::text, location)
 where business_id = %(business_id)s and id = %(id)s
returning id, encode(sha256, 'hex') as sha256, media_type, bytes, alt_text, location, created_at;

-- name: remove_media
delete from media_assets where business_id = %(business_id)s and id = %(id)s;

-- name: list_collections
select c.id, c.slug, c.title, c.description, c.published, c.created_at,
       array(select k.item_id from curated_items k
              where k.business_id = c.business_id and k.collection_id = c.id order by k.position) as items
  from curated_collections c
 where c.business_id = %(business_id)s and (%(id)s::uuid is null or c.id = %(id)s)
   and (%(after)s::timestamptz is null or (c.created_at, c.id) > (%(after)s, %(after_id)s::uuid))
 order by c.created_at, c.id limit %(limit)s;

-- name: add_collection
insert into curated_collections (business_id, id, slug, title, description, published)
values (%(business_id)s, %(id)s, %(slug)s, %(title)s, %(description)s, %(published)s);

-- name: change_collection
update curated_collections
   set slug = coalesce(%(slug)s::text, slug), title = coalesce(%(title)s::text, title),
       description = coalesce(%(description)s::text, description),
       published = coalesce(%(published)s::boolean, published)
 where business_id = %(business_id)s and id = %(id)s;

-- name: remove_collection
delete from curated_collections where business_id = %(business_id)s and id = %(id)s;

-- name: clear_collection
delete from curated_items where business_id = %(business_id)s and collection_id = %(id)s;

-- name: known_items
select i.id from content_items i where i.business_id = %(business_id)s and i.id = any (%(items)s::uuid[]);

-- name: fill_collection
insert into curated_items (business_id, collection_id, position, item_id)
select %(business_id)s, %(id)s, listed.position, listed.item_id
  from unnest(%(items)s::uuid[]) with ordinality listed (item_id, position);

-- name: read_term
select g.id, g.term, g.definition, g.locale, g.created_at,
       array(select s.synonym from glossary_term_synonyms s
              where s.business_id = g.business_id and s.term_id = g.id and s.synonym <> g.term
              order by s.folded) as synonyms
  from glossary_terms g
 where g.business_id = %(business_id)s and g.id = %(id)s;

-- name: lock_term
select id from glossary_terms where business_id = %(business_id)s and id = %(id)s for no key update;

-- name: add_term
insert into glossary_terms (business_id, id, term, definition, locale)
values (%(business_id)s, %(id)s, %(term)s, %(definition)s, %(locale)s);

-- name: change_term
update glossary_terms
   set term = %(term)s, definition = coalesce(%(definition)s::text, definition),
       locale = coalesce(%(locale)s::text, locale)
 where business_id = %(business_id)s and id = %(id)s;

-- name: remove_term
delete from glossary_terms where business_id = %(business_id)s and id = %(id)s;

-- name: forget_names
delete from glossary_term_synonyms where business_id = %(business_id)s and term_id = %(id)s;

-- name: give_names
-- Leaves out what another term has, whoever of two comes first, so that it can be told which it was.
insert into glossary_term_synonyms (business_id, folded, term_id, synonym)
select %(business_id)s, named.folded, %(id)s, named.synonym
  from unnest(%(folded)s::text[], %(names)s::text[]) named (folded, synonym) order by named.folded
on conflict (business_id, folded) do nothing returning folded;
