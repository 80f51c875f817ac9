-- Makes users, and a session each. Whoever comes second with an e-mail or a key from the same address, in this batch or after another
-- transaction, is not added. Rows are added in the order of their e-mails, so batches never deadlock (somebody who crosses keys on purpose
-- can make two of his own do so: they are sent again).
with req as (
    select *, signup_key_of(address, key) as signup_key
      from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::uuid[], $8::int4[], $9::text[]) with ordinality
        as r (id, email, password_hash, address, key, traceparent, session_id, seconds, browser, ordinal)
), added as (
    insert into users (id, email, password_hash, signup_key)
    select id, email, password_hash, signup_key from req order by lower(email), ordinal
        on conflict do nothing
    returning *
), event as (
    insert into user_events (type, id, version, email, traceparent)
    select 'UserCreated', a.id, a.version, a.email, r.traceparent from added a join req r using (id)
), begun as (
    insert into sessions (id, user_id, version, expires_at, address, browser)
    select r.session_id, a.id, a.session_version, now() + r.seconds * interval '1 s', r.address, r.browser from added a join req r using (id)
), audit as (
    insert into audit_events (type, outcome, reason, user_id, session_id, subject_id, address, network, traceparent)
    select 'SignUp', case when a.id is null then 'Refused' else 'Done' end, case when a.id is null then 'taken' end, a.id,
           case when a.id is not null then r.session_id end, null::uuid, r.address, network_of(r.address), r.traceparent
      from req r left join added a using (id)
)
select r.ordinal, a.id is not null as added
  from req r
  left join added a using (id)
 order by r.ordinal
