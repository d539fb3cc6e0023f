"""Who may ask: tokens, this machine alone, and how often."""
