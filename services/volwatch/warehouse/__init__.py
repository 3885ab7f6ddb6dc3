"""PostgreSQL, where the minute path ends: connections, roles, migrations and every statement."""
