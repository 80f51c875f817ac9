-- Who sells a show, by the name that the seller gives. Null: none was given.
alter table shows add column organizer text;
alter table show_events add column organizer text;
