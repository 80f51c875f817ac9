-- Why somebody has to wait before he holds one of these again, shows or tickets: 'lapsed HOLDS SECONDS'; null: he has not to. The first
-- that lapses within a day costs nothing, the second first_wait seconds, each further one twice as long, at most an hour.
create or replace function judge_lapses(buyer_id uuid, things uuid[], first_wait int) returns text language plpgsql stable as $$
begin
    return (select format('lapsed %s %s', w.lapsed, ceil(extract(epoch from w.until - now()))::int)
              from (select count(*) as lapsed,
                           max(l.ended_at) + least(interval '1 hour', first_wait * interval '1 s' * 2 ^ least(count(*) - 2, 12)) as until
                      from lapses l
                     where l.user_id = buyer_id and l.about = any (things) and l.ended_at > now() - interval '1 day'
                     group by l.about having count(*) > 1) w
             where w.until > now()
             order by w.until desc limit 1);
end
$$;

-- How many unpaid tickets somebody may hold at a time of whose purchases some lapsed within a day: what all may, by the share that he
-- paid of these and of his last 20. The first that lapses costs nothing.
create or replace function holds_allowed(buyer_id uuid, most int) returns int language plpgsql stable as $$
declare
    lapsed int := (select count(distinct l.purchase_id) from lapses l where l.user_id = buyer_id and l.ended_at > now() - interval '1 day');
    paid int;
begin
    if lapsed < 2 then return most; end if;
    paid := (select count(*) from (select o.status from orders o
                                    where o.user_id = buyer_id and o.id = purchase_of(o.id, o.purchase_size)
                                    order by o.id desc limit 20) latest
              where latest.status = 'complete');
    return ceil(most * (1.0 + paid) / (paid + lapsed));
end
$$;

-- How many unpaid tickets are held from a network; near: from the 256 beside it, far: from the 65,536. For IPv6 these are a /64, /56 and
-- /48; for IPv4 all three are the one address. Counts no further than it has to. (One select, so that it becomes a part of the
-- statement that asks.)
create or replace function held_from(from_network bigint, most int) returns table (here bigint, near bigint, far bigint)
language sql stable rows 1 as $$
    select sum(h.purchase_size) filter (where h.network = from_network), sum(h.purchase_size) filter (where h.network >> 8 = from_network >> 8),
           sum(h.purchase_size)
      from (select o.network, o.purchase_size from orders o
             where o.network between (from_network & ~65535::bigint) and (from_network | 65535::bigint)
               and o.hold_slot is not null -- the version before leaves the network where it ends an order
             limit 4 * most) h
$$;

-- Whether so many more would be too many.
create or replace function is_crowded(here bigint, near bigint, far bigint, more bigint, most int) returns boolean
language sql immutable parallel safe as $$
    select coalesce(here, 0) + more > most or coalesce(near, 0) + more > 2 * most or coalesce(far, 0) + more > 4 * most
$$;

-- Of the networks of some requests those that are crowded. Requests that came together are judged together: rivals cannot all slip in.
create or replace function crowded_networks(requests purchase_request[], origins purchase_origin[]) returns bigint[]
language plpgsql stable as $$
begin
    return array(select n.network
                   from (select o.network, o.network_most as most, (sum(sum(r.quantity)) over (partition by o.network | 65535))::bigint as more
                           from unnest(requests) r
                          cross join lateral (select (origins[r.ordinal::int]).*) o
                          where o.network is not null
                          group by o.network, o.network_most) n
                  cross join lateral held_from(n.network, n.most) h
                  where is_crowded(h.here, h.near, h.far, n.more, n.most));
end
$$;

-- Why requests are refused by who asks and from where: 'crowded', 'lapsed …', or 'fewer MOST'; judged: why they are for other reasons,
-- which stay. origins: of each request, by its ordinal.
create or replace function judge_origins(requests purchase_request[], origins purchase_origin[], judged text[]) returns text[]
language plpgsql stable as $$
declare
    crowded bigint[] := '{}';
    sinners uuid[] := '{}';
    r purchase_request;
    o purchase_origin;
begin
    if exists (select from unnest(origins) f where f.network is not null) then
        crowded := crowded_networks(requests, origins);
    end if;
    if origins[1].lapse_wait > 0 then -- the same for all
        sinners := array(select q.user_id from unnest(requests) q where (select true from lapses l where l.user_id = q.user_id limit 1));
    end if;
    if crowded = '{}' and sinners = '{}' then return judged; end if;
    for n in 1 .. cardinality(requests) loop
        continue when judged[n] is not null and judged[n] <> 'code required';
        r := requests[n];
        o := origins[r.ordinal::int];
        if o.network = any (crowded) then
            judged[n] := 'crowded';
        elsif r.user_id = any (sinners) then
            judged[n] := coalesce(judge_holder(r, o.lapse_wait), judged[n]);
        end if;
    end loop;
    return judged;
end
$$;

create or replace function judge_holder(r purchase_request, first_wait int) returns text language plpgsql stable as $$
declare
    things uuid[] := case when r.tickets is null then array[r.show_id]
                          else array(select coalesce(t.show_id, t.id) from tickets t where t.id = any (r.tickets)) end;
    allowed int := holds_allowed(r.user_id, r.most);
begin
    return coalesce(judge_lapses(r.user_id, things, first_wait),
                    case when (select count(*) from orders o where o.user_id = r.user_id and o.hold_slot is not null) + r.quantity > allowed
                         then 'fewer ' || allowed end);
end
$$;
