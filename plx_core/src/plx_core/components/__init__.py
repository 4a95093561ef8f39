"""A component as data: its name, its signature as a schema, and its construction."""
