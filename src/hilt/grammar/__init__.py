"""What may come next: a dialect and the schemas of tools become a grammar, and a grammar becomes a mask of tokens."""
