-- Whether so many payments were declined within a day that were last tried from this network, or twice as many from the 256 beside it, or four
-- times from the 65,536. For IPv6 these are a /64, /56 and /48; for IPv4 all three are the one address. Counts no further than it has to.
-- at_seller: of tickets of this seller alone; null: of all. What failed because its order ended, or nobody confirmed it, was not declined.
create or replace function fails_often(from_network bigint, most int, at_seller uuid) returns boolean language plpgsql stable as $$
begin
    return from_network is not null and most > 0 and (
        select coalesce(sum(f.tries) filter (where f.network = from_network), 0) >= most
               or coalesce(sum(f.tries) filter (where f.network >> 8 = from_network >> 8), 0) >= 2 * most
               or coalesce(sum(f.tries), 0) >= 4 * most
          from (select c.network, c.attempt - case when was_declined(c.state, c.reason) then 0 else 1 end as tries
                  from charges c
                 where c.network >> 16 = from_network >> 16
                   and (c.state = 'failed' or c.attempt > 1)
                   and (was_declined(c.state, c.reason) or c.attempt > 1)
                   and (at_seller is null or c.seller_id = at_seller)
                   and c.id >= first_id_of(now() - interval '1 day')
                 limit 4 * most) f);
end
$$;

create or replace function fails_often(from_network bigint, most int) returns boolean language plpgsql stable as $$
begin
    return fails_often(from_network, most, null);
end
$$;
