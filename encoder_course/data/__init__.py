"""The data of the course: installed documentation read where it lies, and MiniLM verified."""
