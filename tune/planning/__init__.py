"""From a request to a sweep that can start: everything is checked here, before anything is written."""
