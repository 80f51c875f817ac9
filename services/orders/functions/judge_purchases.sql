-- What an Idempotency-Key that came before says of a request.
create or replace function judge_key(r purchase_request) returns text language plpgsql as $$
begin
    return (select case when k.idempotency_hash = r.hash then 'repeated' else 'other body' end
              from orders k where k.user_id = r.user_id and k.idempotency_key = r.key);
end
$$;

-- As long as the longest show may be, people still come and buy.
create or replace function took_place(w shows) returns boolean language sql stable as $$
    select w.starts_at + interval '12 hours' < now()
$$;

create or replace function has_accessible(of_show uuid) returns boolean language plpgsql stable as $$
begin
    return exists (select from areas a where a.show_id = of_show and a.accessible);
end
$$;

-- Why each request is refused before places are looked for, in their order; null: it is not. Of those in `locked` the caller has
-- locked the buyer. admitted: as in write_purchases_from.
create or replace function judge_purchases(requests purchase_request[], locked bigint[], admitted uuid[]) returns text[]
language plpgsql as $$
begin
    return array(
        select case when r.ordinal <> all (locked) then 'again'
                    else coalesce(
                        case when r.key is not null then judge_key(r) end,
                        nullif(judged.reason, 'code required'), -- whoever is refused for anything else keeps his code
                        case when (select count(*) from orders o where o.user_id = r.user_id and o.hold_slot is not null)
                                  + r.quantity > r.most then 'limit' end,
                        judged.reason) end
          from unnest(requests) r
          left join shows w on w.id = r.show_id
          left join areas a on a.id = r.area_id and a.show_id = r.show_id
         cross join lateral (
               select case when r.tickets is not null then judge_tickets(r, admitted[r.ordinal::int])
                           when w.id is null or w.status <> 'announced' then 'missing'
                           when w.user_id = r.user_id then 'own'
                           when r.area_id is not null and a.id is null then 'no area'
                           when a.accessible and not r.accessible then 'accessible'
                           when r.accessible and not coalesce(a.accessible, has_accessible(w.id)) then 'not accessible'
                           when took_place(w) then 'over'
                           when w.phases is not null then judge_phase(w, r.user_id, r.area_id, r.quantity, admitted[r.ordinal::int])
                           when (select count(*) from orders o where o.user_id = r.user_id and o.show_id = r.show_id and o.status <> 'cancelled')
                                + r.quantity > w.per_user then 'show limit' end as reason
                offset 0) judged
         order by r.ordinal);
end
$$;

-- The same for one request of tickets by their ids.
create or replace function judge_tickets(r purchase_request, admitted_to uuid) returns text language plpgsql as $$
declare
    reasons text[];
    shows int;
    currencies int;
begin
    select array_agg(reason), count(distinct show_id) filter (where reason = 'code required'), count(distinct currency)
      into reasons, shows, currencies
      from (select t.show_id, t.currency,
                   case when t.id is null or t.show_id is not null and w.status is distinct from 'announced' then 'missing'
                        when t.user_id = r.user_id then 'own'
                        when t.status = 'cancelled' then 'withdrawn'
                        when t.status = 'sold' or h.status = 'complete' then 'sold'
                        when h.id is not null then 'reserved'
                        when r.max_price > 0 and thousandths(t.price, t.currency) > r.max_price then 'dearer'
                        when s.accessible and not r.accessible then 'accessible'
                        when took_place(w) then 'over'
                        when w.phases is not null then judge_phase(w, r.user_id, s.area_id, t.of_show::int, admitted_to)
                        when (select count(*) from orders o where o.user_id = r.user_id and o.show_id = t.show_id and o.status <> 'cancelled')
                             + t.of_show > w.per_user then 'show limit' end as reason
              from unnest(r.tickets) as i (id)
              left join (select *, count(*) over (partition by show_id) as of_show from tickets where id = any (r.tickets)) t on t.id = i.id
              left join seat_rows s on s.id = row_of(t.id) and t.show_id is not null
              left join shows w on w.id = t.show_id
              left join orders h on h.ticket_id = i.id and h.status <> 'cancelled') judged;
    return (select reason from unnest(reasons || case when currencies > 1 then 'currencies' end
                                              || case when shows > 1 then 'codes required' end) as given (reason)
             where reason is not null
             order by array_position(array['missing', 'own', 'withdrawn', 'sold', 'reserved', 'dearer', 'accessible', 'never sold', 'not open', 'over',
                                           'queue required', 'which area', 'show limit', 'currencies', 'codes required', 'code required'],
                                     reason) limit 1);
end
$$;
