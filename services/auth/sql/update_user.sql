-- Changes users: 'done', 'taken' (somebody else has the e-mail) or 'stale' (no longer the password that was checked).
with req as (
    select * from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[]) with ordinality
        as r (id, checked_hash, email, password_hash, traceparent, ordinal)
), changed as (
    select r.ordinal, r.id, r.traceparent, c.verdict, c.version, c.email, c.session_version
      from (select * from req order by id, ordinal) r
     cross join lateral write_user(r.id, r.checked_hash, r.email, r.password_hash) c
), event as (
    insert into user_events (type, id, version, email, session_version, traceparent)
    select 'UserUpdated', id, version, email, session_version, traceparent from changed where verdict = 'done' order by ordinal
)
select ordinal, verdict, email
  from changed
 order by ordinal
