"""Redis: where it comes from (embedded, external) and how tests are kept apart in it."""
