-- How many places of areas orders knows. What comes late or again changes nothing.
with stock as (
    select area_id, max(places) as places from unnest($1::uuid[], $2::int4[]) as e (area_id, places) group by area_id
), locked as (
    select a.id, a.known, s.places from areas a join stock s on s.area_id = a.id order by a.id for update of a
)
update areas a set known = l.places from locked l where a.id = l.id and l.known < l.places
