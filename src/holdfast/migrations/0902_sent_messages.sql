-- What is told to clients and staff: one row for each message, from the moment at which it is due.
-- depends: 0901_messages, 0010_users, 0303_booking, 0313_waitlist_and_intake, 0702_connected_calendars

create table messages (
    business_id uuid not null references businesses (id),
    id uuid not null default uuidv7(),
    kind text not null,
    -- What it tells of: an event of the outbox; or, of a reminder, the appointment at this very time.
    occasion uuid not null,
    booking_id uuid,
    request_id uuid,
    user_id uuid,
    -- Of the booking or the request when it happened: what has happened to it since is told by another message.
    version integer,
    -- Of what a reminder reminds: the appointment may have been moved since.
    starts_at timestamptz,
    occurred_at timestamptz not null default clock_timestamp(),
    -- The message that tells this too, as one tells of a whole series.
    told_with uuid,
    state text not null default 'queued',
    -- Why it was not sent, or what stood against it last: a word.
    reason text,
    attempts integer not null default 0,
    next_attempt_at timestamptz,
    -- After this it is nothing that anybody should still be told.
    give_up_at timestamptz not null,
    -- Since when a server of mail is spoken to about it. Who has died meanwhile has sent it, or has not.
    sending_since timestamptz,
    -- When a server of mail has taken it on, and when its last word was spoken.
    sent_at timestamptz,
    ended_at timestamptz,
    locale text,
    recipient envelope,
    recipient_index blind_index,
    -- Subject and text as JSON, as they were sent last.
    content envelope,
    primary key (business_id, id),
    constraint messages_once unique (business_id, occasion, kind),
    constraint messages_booking foreign key (business_id, booking_id) references bookings (business_id, id),
    constraint messages_request foreign key (business_id, request_id)
        references waitlist_requests (business_id, id) on delete set null (request_id),
    constraint messages_user foreign key (business_id, user_id) references users (business_id, id),
    constraint messages_told_with foreign key (business_id, told_with) references messages (business_id, id),
    constraint messages_kind_shape check (kind ~ '^[a-z][a-z0-9_]{0,63}$'),
    constraint messages_reason_shape check (reason ~ '^[a-z][a-z0-9_]{0,63}$'),
    constraint messages_state_known check (state in ('queued', 'sending', 'sent', 'failed', 'unknown', 'suppressed')),
    constraint messages_attempts_positive check (attempts >= 0),
    constraint messages_due_while_queued check ((state = 'queued') = (next_attempt_at is not null)),
    constraint messages_sending_since check ((state = 'sending') = (sending_since is not null)),
    constraint messages_ended check ((state in ('queued', 'sending')) = (ended_at is null)),
    constraint messages_sent_at check (case when state = 'sent' then sent_at is not null else true end),
    constraint messages_recipient_found check ((recipient is null) = (recipient_index is null)),
    constraint messages_content_addressed check (content is null or recipient is not null)
);
-- Of one booking nothing is sent while something else is: two workers would tell it in any order.
create unique index messages_one_at_a_time on messages (business_id, booking_id) where state = 'sending';
create index messages_due on messages (next_attempt_at) where state = 'queued';
create index messages_going on messages (sending_since) where state = 'sending';
create index messages_by_booking on messages (business_id, booking_id) where booking_id is not null;
create index messages_by_request on messages (business_id, request_id) where request_id is not null;
create index messages_by_user on messages (business_id, user_id) where user_id is not null;
create index messages_by_told_with on messages (business_id, told_with) where told_with is not null;
create index messages_by_recipient on messages (business_id, recipient_index) where recipient is not null;
create index messages_to_forget on messages (ended_at) where recipient is not null;
-- A server of mail that returns a message knows its id only.
create index messages_id on messages (id);

-- What was sent, or may have been, is never sent again; nor is what somebody has been told will not be sent.
create function guard_message_change() returns trigger
language plpgsql as $$
begin
    if new.state <> old.state and (old.state, new.state) not in (
        ('queued', 'sending'), ('queued', 'suppressed'), ('queued', 'failed'),
        ('sending', 'sent'), ('sending', 'queued'), ('sending', 'failed'), ('sending', 'unknown'),
        ('unknown', 'sent'), ('unknown', 'failed'), ('sent', 'failed')
    ) then
        raise exception 'message % cannot go from % to %', old.id, old.state, new.state
            using errcode = 'check_violation', constraint = 'messages_transition';
    end if;
    return new;
end $$;
create trigger guard_change before update of state on messages
    for each row execute function guard_message_change();

-- A part of it may be forgotten, with whoever it is about; that something was told stays.
grant select, insert, update on messages to holdfast_app;
grant select, insert on messages to holdfast_admission;
grant update (recipient, recipient_index, content) on messages to holdfast_admission;
select isolate('messages');

-- How far the outbox was read for what is to be told; one row for all businesses. Nothing is told of what was before.
create table message_feed (
    one boolean primary key default true,
    begun_at timestamptz not null default clock_timestamp(),
    read_until timestamptz not null default clock_timestamp(),
    constraint message_feed_one check (one)
);
insert into message_feed default values;
grant select, update on message_feed to holdfast_app;

-- For the functions that look at all tenants.
grant select on system_settings, series_bookings to holdfast_admission;
