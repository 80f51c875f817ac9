-- The cards that were declined so often within a day, over all people and orders, that they are not tried again. Looks at no more than so
-- many declines: where there are more, they are those of less than a day.
create or replace function refused_cards(most int) returns setof text language sql stable as $$
    select d.fingerprint
      from (select fingerprint from card_declines where most > 0 and at > now() - interval '1 day' order by at desc limit 200000) d
     group by d.fingerprint
    having count(*) >= most
     limit 10000
$$;

-- Those of the payment methods that stand for one of these, as far as that is known: because they were declined themselves.
create or replace function refused_methods(methods text[], most int) returns text[] language plpgsql stable as $$
begin
    return array(select k.token
                   from (select distinct d.token, d.fingerprint from card_declines d where most > 0 and d.token = any (methods)) k
                  where (select count(*) from (select from card_declines d
                                                where d.fingerprint = k.fingerprint and d.at > now() - interval '1 day' limit most) t) >= most);
end $$;

-- Whether a payment was declined within a day to this buyer, or near the network that he comes from (the 65,536 around it, as in
-- fails_often). Then Stripe is asked which card it is before that is charged, if any card is refused.
create or replace function is_near_declines(buyer_id uuid, from_network bigint) returns boolean language plpgsql stable as $$
begin
    return exists (
        select from charges c
         where c.user_id = buyer_id and c.id >= first_id_of(now() - interval '1 day') and (was_declined(c.state, c.reason) or c.attempt > 1))
        or from_network is not null and exists (
        select from charges c
         where c.network >> 16 = from_network >> 16 and (c.state = 'failed' or c.attempt > 1)
           and (was_declined(c.state, c.reason) or c.attempt > 1) and c.id >= first_id_of(now() - interval '1 day'));
end
$$;
