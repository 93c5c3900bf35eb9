"""Ten businesses with a million bookings and a million claims, and at least 100,000 of whatever else grows."""

import psycopg

# Tables with so many rows that reading one from end to end is a fault.
MANY = {"bookings", "claims", "program_schedules", "content_items", "content_versions", "ugc_items"}

# Each of a thousand resources is taken for a thousand hours in a row. Every fifth booking is a place in a group. One in
# a thousand is a hold, and one hold in ten has run out.
_ROWS = (
    """
    insert into businesses (slug, name, timezone, currency)
    select 'b-' || n, 'B', 'UTC', 'EUR' from generate_series(1, 10) n
    """,
    """
    insert into resources (business_id, slug, name, kind, capacity)
    select b.id, 'r-' || n, 'R', 'practitioner', 1 from businesses b, generate_series(1, 100) n
    """,
    """
    insert into services (business_id, slug, name, duration_minutes)
    select b.id, 's-' || n, 'S', 60 from businesses b, generate_series(1, 20) n
    """,
    """
    insert into programs (business_id, slug, name, duration_minutes, max_capacity)
    select b.id, 'p-' || n, 'P', 60, 1000 from businesses b, generate_series(1, 10) n
    """,
    """
    insert into program_schedules (business_id, program_id, starts_at, ends_at, max_capacity, taken)
    select p.business_id, p.id, now() + make_interval(hours => n), now() + make_interval(hours => n + 1), 1000, 2
      from programs p, generate_series(1, 1000) n
    """,
    """
    create temp table every as
    select row_number() over () as n, uuidv7() as id, r.business_id, r.id as resource_id,
           now() + make_interval(hours => hour) as starts_at, s.id as service_id, g.id as schedule_id
      from (select business_id, id, row_number() over () as number from resources) r
     cross join generate_series(1, 1000) hour
      left join (select business_id, id, row_number() over (partition by business_id) - 1 as number from services) s
        on s.business_id = r.business_id and s.number = (r.number + hour) % 20 and hour % 5 > 0
      left join (select business_id, id, row_number() over (partition by business_id) - 1 as number
                   from program_schedules) g
        on g.business_id = r.business_id and g.number = (r.number * 10 + hour) % 10000 and hour % 5 = 0
     order by hour
    """,
    # Indexes are made when the rows are there, all at once and without a look at each constraint: row by row they take
    # several times as long.
    "update pg_index set indisready = false where indrelid in ('bookings'::regclass, 'claims'::regclass)",
    """
    insert into bookings (business_id, id, service_id, schedule_id, starts_at, ends_at, party_size, state, held_at,
                          expires_at, price_minor, currency)
    select business_id, id, service_id, schedule_id, starts_at, starts_at + interval '1 hour', 1,
           case when n % 1000 = 7 then 'held' else 'confirmed' end, now() - interval '1 hour',
           now() + case when n % 10000 = 7 then interval '-1 minute' else interval '1 day' end, 0, 'EUR'
      from every
    """,
    """
    insert into claims (business_id, resource_id, capacity, seat, during, booking_id)
    select business_id, resource_id, 1, 1, tstzrange(starts_at, starts_at + interval '1 hour'), id from every
    """,
    "drop table every",
    """
    insert into content_items (business_id, type, slug, locale, state, version, published_version, published_at)
    select b.id, 'article', 'a-' || n, 'ru', case when n % 10 = 0 then 'draft' else 'published' end, 1,
           case when n % 10 > 0 then 1 end, case when n % 10 > 0 then now() - make_interval(hours => n) end
      from businesses b, generate_series(1, 10000) n
    """,
    """
    insert into content_versions (business_id, item_id, number, title, summary, body)
    select business_id, id, 1, 'A title', '', 'A body' from content_items
    """,
    # One question in a hundred waits; each hour brings another one.
    """
    insert into ugc_items (business_id, id, locale, status, text, created_at, due_at, resolved_at)
    select b.id, uuidv7(), 'ru', case when n % 100 = 0 then 'new' else 'rejected' end,
           '\\x68666531'::bytea || decode(repeat('00', 100), 'hex'), now() - make_interval(hours => n),
           now() - make_interval(hours => n - 24), case when n % 100 > 0 then now() - make_interval(hours => n - 1) end
      from businesses b, generate_series(1, 10000) n
    """,
    "update pg_index set indisready = true where indrelid in ('bookings'::regclass, 'claims'::regclass)",
    "vacuum full bookings",
    "vacuum full claims",
    "vacuum (analyze)",
)


def fill(uri: str) -> None:
    """Fill a fresh database; triggers and foreign keys look away, since only the sizes matter."""
    with psycopg.connect(uri, autocommit=True) as connection:
        connection.execute("set session_replication_role = replica")
        connection.execute("set maintenance_work_mem = '256MB'")
        for statement in _ROWS:
            connection.execute(statement.encode())
