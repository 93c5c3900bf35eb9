-- Items and their versions, as staff see them.

-- name: add_item
insert into content_items (business_id, id, type, slug, locale)
values (%(business_id)s, %(id)s, %(type)s, %(slug)s, %(locale)s);

-- name: lock_item
select id from content_items where business_id = %(business_id)s and id = %(id)s for no key update;

-- name: read_item
select i.id, i.type, i.slug, i.locale, i.state as status, i.version, v.number as content_version, i.published_version,
       i.created_at, i.updated_at, i.published_at, v.title, v.summary, v.body,
       array(select t.slug from content_item_topics c
               join topics t on t.business_id = c.business_id and t.id = c.topic_id
              where c.business_id = i.business_id and c.item_id = i.id order by t.slug) as topics,
       array(select t.slug from content_item_tags c
               join tags t on t.business_id = c.business_id and t.id = c.tag_id
              where c.business_id = i.business_id and c.item_id = i.id order by t.slug) as tags,
       array(select m.media_id from content_media m
              where m.business_id = i.business_id and m.item_id = i.id and m.version_number = v.number
              order by m.position) as media
  from content_items i
  join content_versions v on v.business_id = i.business_id and v.item_id = i.id
 where i.business_id = %(business_id)s and i.id = %(id)s
 order by v.number desc limit 1;

-- name: list_items
select i.id, i.type, i.slug, i.locale, i.state as status, i.version, v.number as content_version, i.published_version,
       i.created_at, i.updated_at, i.published_at, v.title
  from content_items i
  cross join lateral (select v.number, v.title from content_versions v
                       where v.business_id = i.business_id and v.item_id = i.id
                       order by v.number desc limit 1) v
 where i.business_id = %(business_id)s
   and (%(type)s::text is null or i.type = %(type)s)
   and (%(state)s::text is null or i.state = %(state)s)
   and (%(locale)s::text is null or i.locale = %(locale)s)
   and (%(topic)s::text is null
        or exists (select from content_item_topics c
                     join topics t on t.business_id = c.business_id and t.id = c.topic_id
                    where c.business_id = i.business_id and c.item_id = i.id and t.slug = %(topic)s))
   and (%(tag)s::text is null
        or exists (select from content_item_tags c
                     join tags t on t.business_id = c.business_id and t.id = c.tag_id
                    where c.business_id = i.business_id and c.item_id = i.id and t.slug = %(tag)s))
   and (%(title)s::text is null or strpos(lower(v.title), lower(%(title)s)) > 0)
   and (%(after)s::timestamptz is null or (i.created_at, i.id) < (%(after)s, %(after_id)s::uuid))
 order by i.created_at desc, i.id desc limit %(limit)s;

-- name: add_version
insert into content_versions (business_id, item_id, number, title, summary, body, restored_from, created_by)
select %(business_id)s, %(id)s,
       1 + coalesce((select max(v.number) from content_versions v
                      where v.business_id = %(business_id)s and v.item_id = %(id)s), 0),
       %(title)s, %(summary)s, %(body)s, %(restored_from)s::integer, %(actor_id)s::uuid
returning number;

-- name: show_media
insert into content_media (business_id, item_id, version_number, position, media_id)
select %(business_id)s, %(id)s, %(number)s, shown.position, shown.media_id
  from unnest(%(media)s::uuid[]) with ordinality shown (media_id, position);

-- name: lock_media
select id from media_assets where business_id = %(business_id)s and id = any (%(media)s::uuid[]) for key share;

-- name: touch_item
update content_items
   set slug = coalesce(%(slug)s::text, slug), locale = coalesce(%(locale)s::text, locale), version = version + 1,
       updated_at = clock_timestamp()
 where business_id = %(business_id)s and id = %(id)s;

-- name: move_item
update content_items
   set state = %(state)s::text, version = version + 1, updated_at = clock_timestamp(),
       published_version = case when %(state)s::text = 'published' then %(number)s::integer end,
       published_at = case when %(state)s::text = 'published' then coalesce(published_at, clock_timestamp()) end
 where business_id = %(business_id)s and id = %(id)s;

-- name: lock_topics
select slug from topics where business_id = %(business_id)s and slug = any (%(slugs)s::text[]) for key share;

-- name: drop_other_topics
delete from content_item_topics c
 using topics t
 where c.business_id = %(business_id)s and c.item_id = %(id)s
   and t.business_id = c.business_id and t.id = c.topic_id and t.slug <> all (%(slugs)s::text[]);

-- name: give_topics
insert into content_item_topics (business_id, item_id, topic_id)
select t.business_id, %(id)s, t.id from topics t
 where t.business_id = %(business_id)s and t.slug = any (%(slugs)s::text[])
    on conflict do nothing;

-- name: lock_tags
select slug from tags where business_id = %(business_id)s and slug = any (%(slugs)s::text[]) for key share;

-- name: drop_other_tags
delete from content_item_tags c
 using tags t
 where c.business_id = %(business_id)s and c.item_id = %(id)s
   and t.business_id = c.business_id and t.id = c.tag_id and t.slug <> all (%(slugs)s::text[]);

-- name: give_tags
insert into content_item_tags (business_id, item_id, tag_id)
select t.business_id, %(id)s, t.id from tags t
 where t.business_id = %(business_id)s and t.slug = any (%(slugs)s::text[])
    on conflict do nothing;

-- name: list_versions
select v.number, v.title, v.restored_from, v.created_at
  from content_versions v
 where v.business_id = %(business_id)s and v.item_id = %(id)s
   and (%(before)s::integer is null or v.number < %(before)s)
 order by v.number desc limit %(limit)s;

-- name: read_version
select v.number, v.title, v.restored_from, v.created_at, v.summary, v.body,
       array(select m.media_id from content_media m
              where m.business_id = v.business_id and m.item_id = v.item_id and m.version_number = v.number
              order by m.position) as media
  from content_versions v
 where v.business_id = %(business_id)s and v.item_id = %(id)s and v.number = %(number)s;
