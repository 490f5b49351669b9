"""What is remembered: tables, transactions, migrations. The same statements serve both databases."""
