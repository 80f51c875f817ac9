-- When the places of a show are sold: a JSON array of phases, in the order of their times (phases.h). Null: from its announcement on.
alter table shows add column phases text;
alter table show_events add column phases text;
