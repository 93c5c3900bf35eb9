-- What must be on another node before it is told.

-- Makes the commit of this transaction wait until all that it has read is on the nodes that commits wait for, also when
-- it changes nothing. Whoever repeats an answer calls it: the wait of the first commit may have been broken off, and what
-- one node has alone may be lost with it. Where nobody is waited for it costs nothing.
create or replace function await_replication() returns void
language plpgsql set search_path = public, pg_temp as $$
begin
    if current_setting('synchronous_standby_names') <> '' then
        perform pg_logical_emit_message(true, 'holdfast', '');
    end if;
end $$;
revoke execute on function await_replication() from public;
grant execute on function await_replication() to holdfast_app, holdfast_admission;
