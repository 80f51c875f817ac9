-- The catalogue of the lake, as Iceberg's JDBC catalogue has it: which tables there are, and which file describes each as it is now. Made here,
-- as several connectors that start at once may get into each other's way.
create table if not exists iceberg_tables (
    catalog_name               text not null,
    table_namespace            text not null,
    table_name                 text not null,
    metadata_location          text,
    previous_metadata_location text,
    iceberg_type               text,
    primary key (catalog_name, table_namespace, table_name)
);

create table if not exists iceberg_namespace_properties (
    catalog_name   text not null,
    namespace      text not null,
    property_key   text not null,
    property_value text,
    primary key (catalog_name, namespace, property_key)
);

insert into iceberg_namespace_properties values ('onsale', 'onsale', 'exists', 'true') on conflict do nothing;
