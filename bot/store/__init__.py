"""Storage: tables, transactions, migrations. The same statements serve SQLite and PostgreSQL."""
