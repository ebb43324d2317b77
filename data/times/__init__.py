"""Time: timestamps as files write them, frequencies, and the regular grid that rows are placed on."""
