"""Both sides of a group held against each other, entity by entity, and what makes them alike again."""
