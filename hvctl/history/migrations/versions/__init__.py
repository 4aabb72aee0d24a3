"""One file per version of the schema, in order. A version that was released is never edited."""
