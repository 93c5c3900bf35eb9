-- What the public reads: what is published, in the version that was published.

-- name: public_items
-- The names of topics are in the language of the item.
select i.id, i.type, i.slug, i.locale, v.title, v.summary, i.published_at,
       coalesce((select jsonb_agg(jsonb_build_object(
                            'slug', t.slug, 'name', case when i.locale like 'ru%%' then t.name_ru else t.name_en end)
                        order by t.slug)
                   from content_item_topics c
                   join topics t on t.business_id = c.business_id and t.id = c.topic_id
                  where c.business_id = i.business_id and c.item_id = i.id), '[]') as topics,
       coalesce((select jsonb_agg(jsonb_build_object('slug', t.slug, 'name', t.name) order by t.slug)
                   from content_item_tags c
                   join tags t on t.business_id = c.business_id and t.id = c.tag_id
                  where c.business_id = i.business_id and c.item_id = i.id), '[]') as tags
  from content_items i
  join content_versions v on v.business_id = i.business_id and v.item_id = i.id and v.number = i.published_version
 where i.business_id = %(business_id)s and i.state = 'published'
   and (%(type)s::text is null or i.type = %(type)s)
   and (%(locale)s::text is null or i.locale = %(locale)s)
   and (%(topic)s::text is null
        or exists (select from content_item_topics c
                     join topics t on t.business_id = c.business_id and t.id = c.topic_id
                    where c.business_id = i.business_id and c.item_id = i.id and t.slug = %(topic)s))
   and (%(tag)s::text is null
        or exists (select from content_item_tags c
                     join tags t on t.business_id = c.business_id and t.id = c.tag_id
                    where c.business_id = i.business_id and c.item_id = i.id and t.slug = %(tag)s))
   and (%(after)s::timestamptz is null or (i.published_at, i.id) < (%(after)s, %(after_id)s::uuid))
 order by i.published_at desc, i.id desc limit %(limit)s;

-- name: public_item
select i.type, i.slug, i.locale, v.title, v.summary, v.body, i.published_at, v.created_at as revised_at,
       coalesce((select jsonb_agg(jsonb_build_object(
                            'slug', t.slug, 'name', case when i.locale like 'ru%%' then t.name_ru else t.name_en end)
                        order by t.slug)
                   from content_item_topics c
                   join topics t on t.business_id = c.business_id and t.id = c.topic_id
                  where c.business_id = i.business_id and c.item_id = i.id), '[]') as topics,
       coalesce((select jsonb_agg(jsonb_build_object('slug', t.slug, 'name', t.name) order by t.slug)
                   from content_item_tags c
                   join tags t on t.business_id = c.business_id and t.id = c.tag_id
                  where c.business_id = i.business_id and c.item_id = i.id), '[]') as tags,
       coalesce((select jsonb_agg(jsonb_build_object(
                            'location', a.location, 'mediaType', a.media_type, 'altText', a.alt_text, 'bytes', a.bytes,
                            'sha256', encode(a.sha256, 'hex'))
                        order by m.position)
                   from content_media m
                   join media_assets a on a.business_id = m.business_id and a.id = m.media_id
                  where m.business_id = i.business_id and m.item_id = i.id
                    and m.version_number = i.published_version), '[]') as media
  from content_items i
  join content_versions v on v.business_id = i.business_id and v.item_id = i.id and v.number = i.published_version
 where i.business_id = %(business_id)s and i.type = %(type)s and i.slug = %(slug)s and i.state = 'published';

-- name: public_collection
-- Of what it lists, what is published.
select c.slug, c.title, c.description,
       coalesce((select jsonb_agg(jsonb_build_object(
                            'type', i.type, 'slug', i.slug, 'locale', i.locale, 'title', v.title,
                            'summary', v.summary)
                        order by k.position)
                   from curated_items k
                   join content_items i on i.business_id = k.business_id and i.id = k.item_id
                                       and i.state = 'published'
                   join content_versions v on v.business_id = i.business_id and v.item_id = i.id
                                          and v.number = i.published_version
                  where k.business_id = c.business_id and k.collection_id = c.id), '[]') as items
  from curated_collections c
 where c.business_id = %(business_id)s and c.slug = %(slug)s and c.published;

-- name: public_terms
select g.id, g.term, g.definition, g.locale, g.created_at,
       array(select s.synonym from glossary_term_synonyms s
              where s.business_id = g.business_id and s.term_id = g.id and s.synonym <> g.term
              order by s.folded) as synonyms
  from glossary_terms g
 where g.business_id = %(business_id)s and (%(locale)s::text is null or g.locale = %(locale)s)
   and (%(after)s::timestamptz is null or (g.created_at, g.id) > (%(after)s, %(after_id)s::uuid))
 order by g.created_at, g.id limit %(limit)s;

-- name: public_term
select g.id, g.term, g.definition, g.locale, g.created_at,
       array(select s.synonym from glossary_term_synonyms s
              where s.business_id = g.business_id and s.term_id = g.id and s.synonym <> g.term
              order by s.folded) as synonyms
  from glossary_term_synonyms n
  join glossary_terms g on g.business_id = n.business_id and g.id = n.term_id
 where n.business_id = %(business_id)s and n.folded = %(folded)s;
