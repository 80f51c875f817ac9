-- When Stripe is asked again about money that has to go back: after 3 s, then twice that, and so on up to an hour.
create or replace function return_again_at(asked int) returns timestamptz language sql volatile as $$
    select now() + least(3600, 3 * 2 ^ least(asked, 12)) * (0.75 + random() / 2) * interval '1 s'
$$;
-- After so many tries a refund waits for a person, who may grant as many again (docs/failures.md). The tries are counted on, as each
-- has a key of its own.
create or replace function return_tries() returns int language sql immutable as $$ select 20 $$;
-- When a refund that failed is tried again: after 3 s, then four times that, and so on up to six hours. return_tries of them take
-- about three days.
create or replace function return_try_at(tries int) returns timestamptz language sql volatile as $$
    select now() + least(21600, 3 * 4 ^ least((tries - 1) % return_tries(), 10)) * (0.75 + random() / 2) * interval '1 s'
$$;
