-- Counts attempts at a password or a new account, by address and by account, and looks up whom they are about: one round trip,
-- exact across threads and replicas. `what` is 'signin' or 'signup'; `most` attempts a minute are let through (0: any number, nothing
-- is counted). The user is the one of user_id, or of the e-mail; or of the key of a sign-up, which `by_key` tells. `wait`: seconds until
-- the next attempt, 0 when let through. Wrong passwords of before make it longer (slow_down.sql; failed_most: so many cost nothing).
-- `known`: it is from a device where this user was signed in before, and no session of then has ended with a changed password; it is
-- counted by itself. Not where somebody is signed in (user_id): a stolen session is no way to try passwords.
-- `factor`: the secret of a second factor, sealed, which is `factor_on` or only begun.
-- Those refused by their address are not counted against the account. Rows are locked in one order, all addresses before all
-- accounts and each by name, so batches never deadlock.
with asked as (
    select r.*, lower(coalesce(i.email, r.said_email)) as account,
           coalesce(k.id, i.id, m.id) as id,
           coalesce(k.email, i.email, m.email) as email,
           coalesce(k.password_hash, i.password_hash, m.password_hash) as password_hash,
           coalesce(k.session_version, i.session_version, m.session_version) as session_version,
           coalesce(k.verified, i.verified, m.verified) as verified,
           k.id is not null as by_key
      from unnest($1::text[], $2::int4[], $3::text[], $4::text[], $5::uuid[], $6::text[], $7::uuid[], $8::uuid[], $9::int4[], $10::int4[])
        with ordinality as r (what, most, address, said_email, user_id, key, device, device_user, device_version, failed_most, ordinal)
      left join users k on k.signup_key = signup_key_of(r.address, r.key)
      left join users i on i.id = r.user_id
      left join users m on lower(m.email) = lower(r.said_email)
), req as (
    select a.ordinal, a.what, a.most, a.id, a.email, a.password_hash, a.session_version, a.verified, a.by_key,
           d.device is not null as known,
           coalesce('device ' || d.device, subscriber_of(a.address)) as address, coalesce('device ' || d.device, a.account) as account,
           case when a.what = 'signin' and a.most > 0 and a.failed_most > 0
                then paused_until(a.account, a.address, d.device, a.failed_most) end as paused_until
      from asked a
     cross join lateral (select case when a.user_id is null and a.device_user = a.id and a.device_version = a.session_version then a.device end as device) d
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
    select ordinal, started, number from by_address where number > most
     union all
    select ordinal, started, number from by_account where number > most
), audit as ( -- the first of a minute that is refused tells of all: whoever floods us would fill the log otherwise
    insert into audit_events (type, outcome, reason, user_id, session_id, subject_id, address, network, traceparent)
    select case r.what when 'signin' then 'SignIn' when 'passkey' then 'SignIn' when 'signup' then 'SignUp' when 'reset' then 'PasswordResetRequest'
                       else 'LinkFollow' end, 'Refused',
           'too many', a.id, null::uuid, null::uuid, a.address, network_of(a.address), null
      from refused f join req r using (ordinal) join asked a using (ordinal)
     where f.number = r.most + 1 order by ordinal
), swept as ( -- a few old rows, at least as many as this statement adds; last, and waiting for nobody
    delete from attempts where ctid = any (array(
        select ctid from attempts
         where started < now() - interval '2 minutes' and (select count(*) from at_accounts) >= 0
         order by started limit 10 + 2 * (select count(*) from req) for update skip locked))
)
select r.ordinal,
       coalesce(greatest(case when f.ordinal is not null then greatest(1, ceil(extract(epoch from f.started + interval '1 minute' - now()))) end,
                         ceil(extract(epoch from r.paused_until - now())), 0), 0)::int4 as wait,
       r.id, r.email, r.password_hash, r.by_key, r.session_version, r.verified, r.known, s.secret as factor, coalesce(s.confirmed, false) as factor_on
  from req r
  left join refused f using (ordinal)
  left join second_factors s on s.user_id = r.id
 order by r.ordinal
