-- Signs people up where addresses are verified. Whether an address has an account only its owner learns, by a letter: a link to verify it, or,
-- if there is one, to a new password. A row of links is written in any case, so that the answer takes as long. One letter a user, and none
-- to whom too many went. Users are added in the order of their e-mails, so batches never deadlock.
with req as (
    select r.*, u.id as known_id, u.email as known_email
      from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[]) with ordinality
        as r (id, letter_id, email, password_hash, language, traceparent, address, ordinal)
      left join users u on lower(u.email) = lower(r.email)
), added as (
    insert into users (id, email, password_hash, verified)
    select id, email, password_hash, false from req where known_id is null order by lower(email), ordinal
        on conflict do nothing
    returning *
), event as (
    insert into user_events (type, id, version, email, traceparent)
    select 'UserCreated', a.id, a.version, a.email, r.traceparent from added a join req r using (id)
), wanted as (
    select r.letter_id, r.language, r.traceparent, 'VerifyAddress' as type, 'verify' as kind, a.id as user_id, a.email
      from added a join req r using (id)
     union all
    (select distinct on (known_id) letter_id, language, traceparent, 'AccountExists', 'reset', known_id, known_email
       from req where known_id is not null and letters_left(known_id) order by known_id, ordinal)
), link as (
    insert into links (id, kind, user_id, email, expires_at)
    select letter_id, coalesce(w.kind, 'none'), coalesce(w.user_id, r.id), coalesce(w.email, r.email), now() + interval '1 hour'
      from req r left join wanted w using (letter_id)
), letter as (
    insert into letter_events (type, id, user_id, expires_at, email, language, traceparent)
    select type, letter_id, user_id, now() + interval '1 hour', email, language, traceparent from wanted
), audit as (
    insert into audit_events (type, outcome, reason, user_id, session_id, subject_id, address, network, traceparent)
    select 'SignUp', case when a.id is null then 'Refused' else 'Done' end, case when a.id is null then 'taken' end, coalesce(a.id, r.known_id),
           null::uuid, null::uuid, r.address, network_of(r.address), r.traceparent
      from req r left join added a using (id)
), swept as ( -- a few that are over, at least as many as this statement adds
    delete from links where id = any (array(
        select id from links where expires_at < now() order by expires_at limit 10 + 2 * (select count(*) from req) for update skip locked))
)
select ordinal from req order by ordinal
