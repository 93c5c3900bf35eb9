-- What has become of an offer to somebody who waits, and who waits, found without reading who once did.
-- depends: 0320_waitlist_calls, 0321_prepaid_bookings

-- An offer is a hold: what has become of it is in the row of its booking, and told from there before it is written down.
-- An appointment was committed once, whatever has become of it since.
create function offer_stands(
    p_state text, p_booking_state text, p_expires_at timestamptz, p_token_nonce bytea, p_now timestamptz
) returns text
language sql immutable parallel safe as $$
    select case when p_state <> 'offered' then p_state
                when p_token_nonce is not null or p_booking_state not in ('held', 'expired', 'released') then 'accepted'
                when p_booking_state = 'held' and p_expires_at > p_now then 'offered'
                else 'passed' end
$$;

-- Who waits is few beside who ever did.
-- squawk-ignore require-concurrent-index-creation
create index waitlist_requests_open on waitlist_requests (business_id, created_at, id)
    where state in ('waiting', 'offered');
