-- Places purchases, in the order of the requests: of each all orders or none. What a request gets is its verdict:
--     placed       here are its orders
--     repeated     the same Idempotency-Key again: here are the orders of that time; 'other body': it was for something else
--     missing, no area, own, accessible, withdrawn, sold, reserved, currencies, limit, show limit
--     none         there are not as many places; `remaining` says how many there are (none: sold out)
--     again        a rival request on its way decides: ask again
create or replace function write_purchases(requests purchase_request[])
returns table (ordinal bigint, verdict text, remaining int, placed orders) language plpgsql as $$
begin
    return query select * from try_purchases(requests);
exception when unique_violation then -- a rival got one of the tickets by its id just now: nothing of this was done
    for n in 1 .. cardinality(requests) loop
        return query select * from write_purchase(requests[n]);
    end loop;
end
$$;

-- One by itself.
create or replace function write_purchase(r purchase_request)
returns table (ordinal bigint, verdict text, remaining int, placed orders) language plpgsql as $$
begin
    return query select * from try_purchases(array[r]);
exception when unique_violation then
    return query select r.ordinal, 'again', null::int, null::orders;
end
$$;

create or replace function try_purchases(requests purchase_request[])
returns table (ordinal bigint, verdict text, remaining int, placed orders) language plpgsql as $$
declare
    r purchase_request;
    refusal text;
    kind text;
    asked text;
    places_free int;
    places_fit int;
    buyers uuid[] := '{}';
    promised uuid[] := '{}'; -- tickets, to requests before
    nothing jsonb := '{}';   -- what requests before asked for in vain, and how many places were left
    claimed purchase_request[] := '{}';
    refused bigint[] := '{}'; -- and this and the next: why, and how many places were left
    refusals text[] := '{}';
    left_over int[] := '{}';
begin
    foreach r in array requests loop
        refusal := case when r.user_id = any (buyers) or not pg_try_advisory_xact_lock(uuid_hash_extended(r.user_id, 0)) then 'again'
                        when r.key is not null then judge_key(r) end;
        buyers := buyers || r.user_id;
        -- As soon as no place is left nobody gets one; before, whoever asks for the same. (By ids: null.)
        kind := r.show_id || ' ' || r.accessible || ' ' || r.max_price || ' ' || coalesce(r.area_id::text, '');
        asked := kind || ' ' || r.quantity || ' ' || r.together;
        if refusal is null and nothing ?| array[kind, asked] then
            refusal := 'none';
            places_free := coalesce((nothing ->> asked)::int, 0);
        end if;
        refusal := coalesce(refusal, judge_purchase(r), case when r.tickets && promised then 'reserved' end);
        if refusal is null and r.tickets is not null then
            refusal := case when not claim_tickets(r.tickets) then 'again' end;
        elsif refusal is null then
            r.tickets := claim_places(r);
            if r.tickets is null then
                select * into places_free, places_fit from places_left(r);
                refusal := case when places_fit >= r.quantity then 'again' else 'none' end; -- rivals may give back what they hold
                if refusal = 'none' then
                    nothing := nothing || jsonb_build_object(case places_free when 0 then kind else asked end, places_free);
                end if;
            end if;
        end if;
        if refusal is null then
            claimed := claimed || r;
            promised := promised || r.tickets;
        elsif refusal = 'repeated' then
            return query select r.ordinal, refusal, null::int, o from orders_by_key(r.user_id, r.key) o;
        else
            refused := refused || r.ordinal;
            refusals := refusals || refusal;
            left_over := left_over || case refusal when 'none' then places_free end;
        end if;
    end loop;
    return query select f.ordinal, f.refusal, f.places_left, null::orders
                   from unnest(refused, refusals, left_over) as f (ordinal, refusal, places_left);
    return query select * from write_claimed(claimed);
end
$$;

create or replace function orders_by_key(buyer_id uuid, with_key text) returns setof orders language sql stable as $$
    select o.* from orders k cross join lateral orders_with(array[k.id]) o
     where k.user_id = buyer_id and k.idempotency_key = with_key order by o.id
$$;
