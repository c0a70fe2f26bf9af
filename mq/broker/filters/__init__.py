"""Which messages a consumer wants: filter expressions and how they are judged."""
