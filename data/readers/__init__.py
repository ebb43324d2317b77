"""From files to a panel of series: CSV, parquet, JSON Lines, folders of them."""
