-- How many places the show had then. Null in events from before this column.
alter table show_events add column places int;
