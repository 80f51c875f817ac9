-- Ends a session of a user, or all of them (`everywhere`). `own`: it is the one that asks, or on his list; no other is ended. `done`, or nobody's any
-- more; otherwise another request of this batch changed the user: ask again. Those for the same session are done at once, and all of a
-- user's by one for everywhere.
with req as (
    select r.*, r.everywhere or r.session_id is not distinct from r.asking
                or exists (select from sessions s where s.id = r.session_id and s.user_id = r.user_id) as own
      from unnest($1::uuid[], $2::uuid[], $3::bool[], $4::text[], $5::uuid[], $6::text[]) with ordinality
        as r (user_id, session_id, everywhere, traceparent, asking, address, ordinal)
), first as (
    select distinct on (user_id) * from req where own order by user_id, everywhere desc, ordinal
), locked as materialized (
    select u.* from users u where u.id in (select user_id from first) order by u.id for update
), changed as (
    update users u
       set version = next_version(u.version), session_version = u.session_version + case when f.everywhere then 1 else 0 end
      from locked l join first f on f.user_id = l.id
     where u.id = l.id
    returning u.id, u.version, u.email, u.session_version, f.session_id, f.everywhere, f.asking, f.address, f.traceparent
), gone as (
    delete from sessions s using changed c where s.user_id = c.id and (c.everywhere or s.id = c.session_id)
), event as (
    insert into user_events (type, id, version, email, session_version, session_id, traceparent)
    select 'UserUpdated', id, version, email, session_version, session_id, traceparent from changed order by id
), audit as (
    insert into audit_events (type, outcome, reason, user_id, session_id, subject_id, address, network, traceparent)
    select case when everywhere or session_id is not distinct from asking then 'SignOut' else 'SessionEnd' end, 'Done',
           case when everywhere then 'everywhere' end, id, asking, case when not everywhere then session_id end, address, network_of(address), traceparent
      from changed order by id
)
select r.ordinal, not r.own or f.everywhere or f.session_id is not distinct from r.session_id or l.id is null as done, r.own
  from req r
  left join first f using (user_id)
  left join locked l on l.id = r.user_id
 order by r.ordinal
