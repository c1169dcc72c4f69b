"""The configuration: schema, loading and views. Only this package knows the keys of the YAML."""
