-- Counts wrong passwords by account, address and network (counted_as). Rows are locked in one order, so batches never deadlock.
with req as (
    select * from unnest($1::text[], $2::text[], $3::uuid[], $4::int4[]) with ordinality as r (email, address, device, most, ordinal)
), counted as (
    insert into failures as f (who, count, started, latest)
    select c.who, count(*), now(), now()
      from req r cross join lateral counted_as(lower(r.email), r.address, r.device, r.most) c
     group by c.who order by c.who
        on conflict (who) do update set
           count = excluded.count + case when f.started > now() - interval '1 day' then f.count else 0 end,
           started = case when f.started > now() - interval '1 day' then f.started else now() end,
           latest = now()
), swept as ( -- a few old rows, at least as many as this statement adds; waiting for nobody
    delete from failures where ctid = any (array(
        select ctid from failures where started < now() - interval '1 day'
         order by started limit 10 + 8 * (select count(*) from req) for update skip locked))
)
select ordinal from req order by ordinal
