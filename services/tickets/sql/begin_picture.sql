-- Whether a show is the user's and may have another picture, and whether he has sent fewer than `most` today (in UTC). This one is counted,
-- also if it cannot be used: to read it is what costs.
with req as (
    select * from unnest($1::uuid[], $2::uuid[], $3::int4[]) with ordinality as r (id, user_id, most, ordinal)
), judged as (
    select r.*,
           case when s.id is null or (s.user_id <> r.user_id and s.status <> 'announced') then 'missing'
                when s.user_id <> r.user_id then 'forbidden'
                when s.status = 'cancelled' then 'cancelled'
                else 'done' end as verdict
      from req r
      left join shows s on s.id = r.id
), sent as (
    insert into picture_days as d (user_id, day, sent)
    select user_id, (now() at time zone 'UTC')::date, count(*) from judged where verdict = 'done' group by user_id order by user_id
        on conflict (user_id, day) do update set sent = d.sent + excluded.sent
    returning user_id, sent
)
select j.ordinal,
       case when j.verdict = 'done' and d.sent - count(*) over later > j.most then 'quota' else j.verdict end as verdict
  from judged j
  left join sent d on d.user_id = j.user_id
window later as (partition by j.user_id, j.verdict order by j.ordinal rows between 1 following and unbounded following)
 order by j.ordinal
