-- A message lets go of a request that is deleted by a trigger: a cluster spread by tenant refuses a key that does it.
-- depends: 0902_sent_messages

-- Runs as the owner of the schema, as what a foreign key does by itself.
create function let_go_of_request() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    update messages set request_id = null where business_id = old.business_id and request_id = old.id;
    return old;
end $$;

create trigger let_go_of_request before delete on waitlist_requests
    for each row execute function let_go_of_request();

alter table messages
    -- squawk-ignore ban-drop-constraint
    drop constraint messages_request,
    add constraint messages_request foreign key (business_id, request_id)
        references waitlist_requests (business_id, id) not valid;
