"""The only room that imports Ray or Optuna: the search, its scheduler, its workers."""
