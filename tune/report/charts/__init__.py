"""The pictures of a sweep: what each shows, and how it is drawn for a wide page, a narrow one and paper."""
