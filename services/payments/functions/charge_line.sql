-- A charge waits in line while Stripe has not been asked to create its PaymentIntent, or has refused because of its limit.
create or replace function waits(c charges) returns boolean language sql immutable as $$
    select c.ask = 'create' and c.asked = 0
$$;

-- Stripe knows nothing of such an attempt. (A replica of the version before notes sent_at alone.)
create or replace function never_sent(c charges) returns boolean language sql immutable as $$
    select c.place_in_line is not null and c.key_at is null and c.sent_at is null
$$;

-- How many payments are before one that waits, and about how many seconds it will take; no row for one that does not wait. Places of
-- those that ended meanwhile count as well, so it is rather sooner. Stripe may have asked for a pause before.
create or replace function line_of(ask text, asked int, place bigint) returns table (ahead bigint, seconds bigint) language sql stable as $$
    select greatest(0, place - p.served - 1), ceil(greatest(1, place - p.served) / greatest(p.a_second, 0.01)
                                                        + extract(epoch from greatest(p.not_before, now()) - now()))::bigint
      from paces p
     where p.lane = 'payments' and ask = 'create' and asked = 0 and place is not null
$$;
