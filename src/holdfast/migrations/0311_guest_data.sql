-- Whom a booking is for, and what staff note about it: ciphertext from here on. The plain columns are written no more.
-- depends: 0310_staff, 0005_privacy

-- The same as before, but not taken apart and planned anew by every statement that writes a row, and not called where
-- there is nothing to judge: of all that a CHECK here costs admission, that was the most.
create or replace function is_envelope(p_value bytea) returns boolean
language plpgsql immutable strict parallel safe as $$
begin
    return octet_length(p_value) >= 36 and substring(p_value from 1 for 4) = '\x68666531'::bytea;
end $$;
create or replace function is_blind_index(p_value bytea) returns boolean
language plpgsql immutable strict parallel safe as $$
begin
    return octet_length(p_value) = 16;
end $$;

alter table bookings
    -- E-mail address, phone number and name as JSON, in one envelope.
    add column contact bytea,
    add column email_index bytea,
    add column phone_index bytea,
    add column note bytea,
    -- Whether the contact is in plain text still, where an earlier release wrote it. What is there gets `true` without
    -- being written anew, and what is made from here on `false`.
    add column contact_plain boolean not null default true,
    add constraint bookings_contact_sealed check (is_envelope(contact)) not valid,
    add constraint bookings_email_index_blind check (is_blind_index(email_index)) not valid,
    add constraint bookings_phone_index_blind check (is_blind_index(phone_index)) not valid,
    add constraint bookings_note_sealed check (is_envelope(note)) not valid,
    add constraint bookings_contact_not_plain
        check (contact_plain or num_nonnulls(guest_email, guest_phone, guest_name) = 0) not valid;
alter table bookings alter column contact_plain set default false;

create function refuse_plain_contact() returns trigger
language plpgsql as $$
begin
    raise exception 'the contact of booking % is stored as ciphertext only', new.id
        using errcode = 'check_violation', constraint = 'bookings_contact_not_plain';
end $$;
create trigger refuse_plain_contact before insert on bookings
    for each row when (new.contact_plain) execute function refuse_plain_contact();
create trigger refuse_plain_contact_again before update on bookings
    for each row when (new.contact_plain and not old.contact_plain) execute function refuse_plain_contact();

-- As before, and: a version stays where nothing changes but the form in which personal data is stored, because it is
-- sealed, or sealed anew under another key. Nobody's contact and no note comes or goes that way.
create or replace function guard_booking_change() returns trigger
language plpgsql as $$
declare
    v_otherwise bookings;
begin
    if new.version <> old.version + 1 then
        v_otherwise := new;
        v_otherwise.contact := old.contact;
        v_otherwise.note := old.note;
        if old.contact_plain then
            v_otherwise.contact_plain := old.contact_plain;
            v_otherwise.email_index := old.email_index;
            v_otherwise.phone_index := old.phone_index;
            v_otherwise.guest_email := old.guest_email;
            v_otherwise.guest_phone := old.guest_phone;
            v_otherwise.guest_name := old.guest_name;
        end if;
        if v_otherwise is distinct from old
           or (new.note is null) <> (old.note is null)
           or (num_nonnulls(new.contact, new.guest_email, new.guest_phone, new.guest_name) = 0)
              <> (num_nonnulls(old.contact, old.guest_email, old.guest_phone, old.guest_name) = 0) then
            raise exception 'a change of booking % must raise its version by one', old.id
                using errcode = 'check_violation', constraint = 'bookings_version_step';
        end if;
    end if;
    if new.state <> old.state and not booking_may_become(old.state, new.state) then
        raise exception 'booking % cannot go from % to %', old.id, old.state, new.state
            using errcode = 'check_violation', constraint = 'bookings_transition';
    end if;
    return new;
end $$;
