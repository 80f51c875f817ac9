-- Notes what was refused (`what`, `reason`): wrong passwords, which it counts by account, address and network (counted_as); with `most` 0
-- nothing is counted. Rows are locked in one order, so batches never deadlock.
with req as (
    select * from unnest($1::text[], $2::text[], $3::uuid[], $4::int4[], $5::text[], $6::text[], $7::uuid[], $8::uuid[],
                         $9::text[]) with ordinality
        as r (email, address, device, most, what, reason, user_id, session_id, traceparent, ordinal)
), counted as (
    insert into failures as f (who, count, started, latest)
    select c.who, count(*), now(), now()
      from req r cross join lateral counted_as(lower(r.email), r.address, r.device, r.most) c
     where r.most > 0
     group by c.who order by c.who
        on conflict (who) do update set
           count = excluded.count + case when f.started > now() - interval '1 day' then f.count else 0 end,
           started = case when f.started > now() - interval '1 day' then f.started else now() end,
           latest = now()
), audit as (
    insert into audit_events (type, outcome, reason, user_id, session_id, subject_id, address, network, traceparent)
    select what, 'Refused', reason, user_id, session_id, null::uuid, address, network_of(address), traceparent
      from req order by ordinal
), swept as ( -- a few old rows, at least as many as this statement adds; waiting for nobody
    delete from failures where ctid = any (array(
        select ctid from failures where started < now() - interval '1 day'
         order by started limit 10 + 8 * (select count(*) from req) for update skip locked))
)
select ordinal from req order by ordinal
