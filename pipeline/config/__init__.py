"""The configuration: schema, loading, views; the one place where a key of YAML is known."""
