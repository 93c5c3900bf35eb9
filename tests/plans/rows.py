"""Ten businesses with a million bookings and a million claims, and of what hangs on them at least a tenth of that."""

import psycopg

# Tables with so many rows that reading one from end to end is a fault.
MANY = {"bookings", "claims", "program_schedules"}

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
           now() + make_interval(hours => hour) as starts_at,
           case when hour % 5 > 0 then s.ids[1 + (r.number + hour) % 20] end as service_id,
           case when hour % 5 = 0 then g.ids[1 + (r.number * 10 + hour) % 10000] end as schedule_id
      from (select business_id, id, row_number() over ()::integer as number from resources) r
      join (select business_id, array_agg(id) as ids from services group by 1) s using (business_id)
      join (select business_id, array_agg(id) as ids from program_schedules group by 1) g using (business_id)
     cross join generate_series(1, 1000) hour
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
