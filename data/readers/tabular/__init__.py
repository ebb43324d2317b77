"""Tables: what their columns are, which numbers their cells hold, and how they become the series of a panel."""
