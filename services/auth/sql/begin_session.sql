-- Signs people in: begins a session each. Not `begun`: the code of the second factor was `wrong`, or taken a moment before; or ask again, as the account
-- has changed since its password was looked up. Users are locked in the order of their ids, so batches never deadlock.
with req as (
    select * from unnest($1::uuid[], $2::int4[], $3::uuid[], $4::int4[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
                         $10::int8[], $11::bytea[], $12::bytea[]) with ordinality
        as r (user_id, version, session_id, seconds, address, browser, checked_hash, password_hash, traceparent, step, recovery, sealed, ordinal)
), coded as materialized (
    select r.*, c.code
      from (select * from req order by user_id, ordinal) r
     cross join lateral take_code(r.user_id, r.version, r.step, r.recovery, r.sealed) c (code)
), begun as (
    select r.ordinal, r.user_id, r.version as session_version, r.session_id, r.address, r.traceparent, r.recovery, b.*
      from (select * from coded where code in ('taken', 'none') order by user_id, ordinal) r
     cross join lateral begin_session(r.user_id, r.version, r.session_id, r.seconds, r.address, r.browser, r.checked_hash, r.password_hash) b
), event as ( -- of those for which there was no room any more
    insert into user_events (type, id, version, email, session_version, session_id, traceparent)
    select 'UserUpdated', user_id, version, email, session_version, ended, traceparent from begun where ended is not null order by version
), audit as (
    insert into audit_events (type, outcome, reason, user_id, session_id, subject_id, address, network, traceparent)
    select 'SignIn', 'Done', case when recovery is not null then 'recovery code' end, user_id, session_id, null::uuid, address, network_of(address), traceparent
      from begun where begun
), swept as ( -- a few that are over, at least as many as this statement adds
    delete from sessions where id = any (array(
        select id from sessions where expires_at < now() order by expires_at limit 10 + 2 * (select count(*) from req) for update skip locked))
)
select c.ordinal, coalesce(b.begun, false) as begun, c.code = 'wrong' as wrong
  from coded c
  left join begun b using (ordinal)
 order by c.ordinal
