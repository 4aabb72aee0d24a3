"""How the history's tables became what they are; run by Alembic on the connection it is handed."""
