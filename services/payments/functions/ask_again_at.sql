-- How long whoever asks Stripe is left alone with it: 3 s, then twice that, and so on up to a minute; and some chance, so that what
-- began together does not stay so. Asking twice at a time is harmless (the idempotency key), only of no use.
create or replace function ask_again_at(asked int) returns timestamptz language sql volatile as $$
    select now() + least(60, 3 * 2 ^ least(asked, 10)) * (0.75 + random() / 2) * interval '1 s'
$$;
