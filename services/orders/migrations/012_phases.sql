-- When the places of a show are sold, as the topic shows says it. Null: from its announcement on.
alter table shows add column phases jsonb;
