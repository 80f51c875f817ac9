#!/usr/bin/env python3
"""usage: lake.py SQL...   DuckDB's SQL over the lake's tables (./onsale run --lake): a line of JSON for each row, an empty one between answers.
    lake.py "select seller_id, currency, sum(price) as earned from order_events where type = 'OrderCompleted' group by all"
Times are UTC. Topics repeat records now and then: `select distinct on (id, version) *` leaves each once. WAREHOUSE_DATABASE_URL says where the catalogue is,
which says where the files are; pip install duckdb psycopg[binary] pyarrow pyiceberg sqlalchemy, or examples/requirements.txt."""
import json
import os
import sys

import duckdb
import pyarrow
from pyiceberg.catalog import load_catalog

questions = sys.argv[1:]
database = os.environ["WAREHOUSE_DATABASE_URL"].replace("postgresql:", "postgresql+psycopg:")
catalogue = load_catalog("onsale", type="sql", uri=database, init_catalog_tables="false")
lake = duckdb.connect()


def utc(table):
    """Times without a zone: what DuckDB knows of zones is an extension."""
    fields = [field.with_type(pyarrow.timestamp("us")) if pyarrow.types.is_timestamp(field.type) else field for field in table.schema]
    return table.cast(pyarrow.schema(fields))


for _, name in catalogue.list_tables("onsale"):
    if any(name in question for question in questions):  # filters and columns that are given to scan() instead spare the reading of files
        lake.register(name, utc(catalogue.load_table(("onsale", name)).scan().to_arrow()))
print("\n".join("".join(json.dumps(row, default=str) + "\n" for row in lake.sql(question).to_arrow_table().to_pylist()) for question in questions), end="")
