-- Counts attempts at a password or a new account, by address and by account, and looks up whom they are about: one round trip,
-- exact across threads and replicas. `what` is 'signin' or 'signup'; `most` attempts a minute are let through (0: any number, nothing
-- is counted). The user is the one of user_id, or of the e-mail; or of the key of a sign-up, which `by_key` tells. `wait`: seconds until
-- the next attempt, 0 when let through.
-- Those refused by their address are not counted against the account. Rows are locked in one order, all addresses before all
-- accounts and each by name, so batches never deadlock.
with req as (
    select r.ordinal, r.what, r.most,
           subscriber_of(r.address) as address, lower(coalesce(i.email, r.email)) as account,
           coalesce(k.id, i.id, m.id) as id,
           coalesce(k.email, i.email, m.email) as email,
           coalesce(k.password_hash, i.password_hash, m.password_hash) as password_hash,
           coalesce(k.session_version, i.session_version, m.session_version) as session_version,
           coalesce(k.verified, i.verified, m.verified) as verified,
           k.id is not null as by_key
      from unnest($1::text[], $2::int4[], $3::text[], $4::text[], $5::uuid[], $6::text[]) with ordinality
        as r (what, most, address, email, user_id, key, ordinal)
      left join users k on k.signup_key = signup_key_of(r.address, r.key)
      left join users i on i.id = r.user_id
      left join users m on lower(m.email) = lower(r.email)
), at_addresses as (
    insert into attempts as a (what, who, count, started)
    select what || ' address', address, count(*), now() from req where most > 0 group by 1, 2 order by 1, 2
        on conflict (what, who) do update set
           count = excluded.count + case when a.started > now() - interval '1 minute' then a.count else 0 end,
           started = case when a.started > now() - interval '1 minute' then a.started else now() end
    returning *
), by_address as ( -- each attempt with its number within the minute
    select r.*, a.started,
           a.count - count(*) over same + row_number() over (same order by r.ordinal) as number
      from req r join at_addresses a on a.what = r.what || ' address' and a.who = r.address
     where r.most > 0
    window same as (partition by r.what, r.address)
), at_accounts as (
    insert into attempts as a (what, who, count, started)
    select what || ' account', account, count(*), now() from by_address where number <= most and account is not null
     group by 1, 2 order by 1, 2
        on conflict (what, who) do update set
           count = excluded.count + case when a.started > now() - interval '1 minute' then a.count else 0 end,
           started = case when a.started > now() - interval '1 minute' then a.started else now() end
    returning *
), by_account as (
    select r.ordinal, r.most, a.started,
           a.count - count(*) over same + row_number() over (same order by r.ordinal) as number
      from by_address r join at_accounts a on a.what = r.what || ' account' and a.who = r.account
     where r.number <= r.most
    window same as (partition by r.what, r.account)
), refused as (
    select ordinal, started from by_address where number > most
     union all
    select ordinal, started from by_account where number > most
), swept as ( -- a few old rows, at least as many as this statement adds; last, and waiting for nobody
    delete from attempts where ctid = any (array(
        select ctid from attempts
         where started < now() - interval '2 minutes' and (select count(*) from at_accounts) >= 0
         order by started limit 10 + 2 * (select count(*) from req) for update skip locked))
)
select r.ordinal,
       case when f.ordinal is null then 0
            else greatest(1, ceil(extract(epoch from f.started + interval '1 minute' - now()))) end::int4 as wait,
       r.id, r.email, r.password_hash, r.by_key, r.session_version, r.verified
  from req r
  left join refused f using (ordinal)
 order by r.ordinal
