-- The job library's tables are used by the application, and owned like everything else by the owner.
do $$
declare
    job_table text;
begin
    for job_table in select c.oid::regclass::text from pg_class c
                      where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
                        and c.relname like 'procrastinate\_%'
    loop
        execute format('grant select, insert, update, delete on %s to holdfast_app', job_table);
    end loop;
    for job_table in select c.oid::regclass::text from pg_class c
                      where c.relnamespace = 'public'::regnamespace and c.relkind = 'S'
                        and c.relname like 'procrastinate\_%'
    loop
        execute format('grant usage on sequence %s to holdfast_app', job_table);
    end loop;
end $$;
