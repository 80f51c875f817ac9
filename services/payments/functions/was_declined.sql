-- Whether a charge's present attempt was declined; it may also have failed because nobody was there to confirm it, or its order ended.
create or replace function was_declined(state text, reason text) returns boolean language sql immutable parallel safe as $$
    select state = 'failed' and coalesce(reason, '') not in ('order_ended', 'canceled', 'replaced')
$$;
