-- When and where a ticket is for that a person sells, as its seller gave it: a day by the clocks at the place. Null: not given, and for a
-- place of a show, whose show says it.
alter table tickets
    add column date  date,
    add column venue text,
    add column city  text;
alter table ticket_events
    add column date  text,
    add column venue text,
    add column city  text;

-- Lists by date, those without one last; of a city; and a search that finds venues, too. The first holds every ticket on sale, so writers
-- wait some seconds for each million of these, once.
-- squawk-ignore require-concurrent-index-creation
create index tickets_by_date on tickets (coalesce(date, 'infinity'), id) where status = 'available' and show_id is null;
-- squawk-ignore require-concurrent-index-creation
create index tickets_by_city on tickets (lower(city), coalesce(date, 'infinity'), id)
    where status = 'available' and show_id is null and city is not null;
-- squawk-ignore require-concurrent-index-creation
create index tickets_by_venue on tickets using gin (venue gin_trgm_ops) where status = 'available' and show_id is null and venue is not null;
