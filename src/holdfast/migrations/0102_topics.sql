-- The topics that every business begins with (D-2): those that there are get them now, others when they are made.
-- depends: 0101_content

-- Repeatable: a topic whose slug the business has already stays as the business has it. What the business removed
-- stays removed, because nobody seeds it again.
create function seed_topics(p_business_id uuid) returns void
language sql as $$
    insert into topics (business_id, slug, name_ru, name_en)
    select p_business_id, seed.slug, seed.name_ru, seed.name_en
      from (values ('anxiety', 'Тревога', 'Anxiety'),
                   ('burnout', 'Выгорание', 'Burnout'),
                   ('relationships', 'Отношения', 'Relationships'),
                   ('self-esteem', 'Самооценка', 'Self-esteem'),
                   ('sleep', 'Сон', 'Sleep'),
                   ('stress', 'Стресс', 'Stress'),
                   ('depression', 'Депрессия', 'Depression'),
                   ('grief', 'Утрата и горе', 'Grief and loss'),
                   ('family', 'Семья', 'Family'),
                   ('parenting', 'Родительство', 'Parenting'),
                   ('emotions', 'Эмоции', 'Emotions'),
                   ('boundaries', 'Личные границы', 'Boundaries')) seed (slug, name_ru, name_en)
        on conflict (business_id, slug) do nothing
$$;

-- With its owner's rights: whoever makes a business does not act for it yet.
create function seed_business() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    perform seed_topics(new.id);
    return null;
end $$;

create trigger seed_business after insert on businesses
    for each row execute function seed_business();

select seed_topics(id) from businesses;
